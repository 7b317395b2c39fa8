"""How fast a worker says it is."""

from worker.speed import STEPS_WATCHED, Speed


def test_the_rate_is_unknown_before_the_first_token() -> None:
    assert Speed().tokens_per_s is None


def test_the_rate_follows_the_latest_steps() -> None:
    speed = Speed()
    for _ in range(500):
        speed.add(tokens=8, prefilled=0, took_s=0.1)
    assert speed.tokens_per_s == 80
    for _ in range(500):
        speed.add(tokens=8, prefilled=0, took_s=0.2)
    assert speed.tokens_per_s == 40


def test_prefill_takes_time_and_gives_no_tokens() -> None:
    speed = Speed()
    speed.add(tokens=0, prefilled=100, took_s=1.0)
    speed.add(tokens=10, prefilled=0, took_s=1.0)
    assert speed.tokens_per_s is not None
    assert speed.tokens_per_s < 6
    assert (speed.tokens, speed.prefilled) == (10, 100)


def test_one_long_step_is_remembered_for_a_while_and_then_forgotten() -> None:
    speed = Speed()
    speed.add(1, 0, took_s=5.0)
    speed.add(1, 0, took_s=0.1)
    assert speed.step_s_max == 5.0
    for _ in range(2 * STEPS_WATCHED):
        speed.add(1, 0, took_s=0.1)
    assert speed.step_s_max == 0.1
