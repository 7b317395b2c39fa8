"""One engine, many requests: slots, counts, ends, cancels and bounds, on real models."""

import pytest

from worker.engine import Refused, Request
from worker.engines.batched.parts import DecodeFailed

pytestmark = pytest.mark.parametrize("engine_name", ["llamacpp", "mlx"], indirect=True)


def _seats(prompt: str, count: int = 8, **options) -> list[Request]:
    return [Request(prompt, seed=100 + n, **options) for n in range(count)]


def test_a_prompt_is_computed_once_for_eight_requests(opened, run, question) -> None:
    driven = run(opened())
    done = driven.all(_seats(question))
    assert driven.prefilled == done[0].prompt_tokens
    assert driven.tokens == sum(c.tokens for c in done)


def test_a_later_request_with_the_same_prompt_computes_nothing(opened, run, question) -> None:
    driven = run(opened())
    first, *_ = driven.all(_seats(question))
    driven.prefilled = 0
    again, *_ = driven.all(_seats(question))
    assert driven.prefilled == 0
    assert again.text == first.text


def test_prompts_that_begin_alike_share_whole_chunks(opened, run) -> None:
    driven = run(opened(batch_tokens=8))
    common = "There are 5 boxes with 7 pears each on the table in the hall. "
    driven.all(_seats(common + "How many pears?", 1))
    driven.prefilled = 0
    two, *_ = driven.all(_seats(common + "Ann takes 3 pears away. How many are left?", 1))
    saved = two.prompt_tokens - driven.prefilled
    assert saved >= 8
    assert saved % 8 == 0


def test_a_finished_slot_is_free_at_once(opened, question) -> None:
    engine = opened(slots=2)
    for tokens_max in (3, 9):
        engine.admit(Request(question, seed=1, max_tokens=tokens_max))
    while not (finished := engine.step().finished):
        pass
    assert engine.admit(Request("1 + 1 =", seed=9)) == finished[0].slot


def test_a_request_beyond_the_slots_is_a_bug_of_the_caller(opened) -> None:
    engine = opened(slots=1)
    engine.admit(Request("1 + 1 =", seed=1))
    with pytest.raises(AssertionError, match="without a free slot"):
        engine.admit(Request("1 + 1 =", seed=2))


def test_an_idle_engine_steps_over_nothing(opened) -> None:
    step = opened().step()
    assert (step.tokens, step.prefilled, step.finished) == (0, 0, ())


def test_seeds_differ_and_a_seed_repeats(opened, run, question) -> None:
    engine = opened()
    texts = [c.text for c in run(engine).all(_seats(question))]
    assert len(set(texts)) > 1
    assert texts == [c.text for c in run(engine).all(_seats(question))]


def test_temperature_zero_is_greedy_whatever_the_seed(opened, run, question) -> None:
    done = run(opened()).all(_seats(question, 4, temperature=0))
    assert len({c.text for c in done}) == 1


def test_abacus_ends_by_itself_with_a_number(opened, run, question) -> None:
    (done,) = run(opened()).all(_seats(question, 1))
    assert done.finish == "stop"
    assert "#### " in done.text
    assert "<|im_end|>" not in done.text


def test_max_tokens_ends_an_answer_with_length(opened, run, question) -> None:
    done = run(opened()).all(_seats(question, 3, max_tokens=5))
    assert [(c.finish, c.tokens) for c in done] == [("length", 5)] * 3


def test_a_stop_string_across_tokens_is_left_out(opened, run, question) -> None:
    engine = opened()
    plain = run(engine).all(_seats(question))
    cut = run(engine).all(_seats(question, stop=("\n#### ",)))
    assert [c.text for c in cut] == [c.text.split("\n#### ")[0] for c in plain]
    assert {c.finish for c in cut} == {"stop"}
    assert all(c.tokens < p.tokens for c, p in zip(cut, plain, strict=True))


def test_bytes_of_a_random_model_never_break_the_text(opened, run, model_files) -> None:
    """A model with random weights writes any bytes: what is no UTF-8 becomes U+FFFD."""
    done = run(opened(model_files())).all(_seats("x", 8, max_tokens=60, temperature=1.5))
    assert any("\ufffd" in c.text for c in done)
    assert all(c.text == c.text.encode().decode() for c in done)


def test_a_prompt_longer_than_the_context_is_refused_with_the_numbers(opened) -> None:
    with pytest.raises(Refused) as caught:
        opened().admit(Request("and 7 more " * 500, seed=1))
    assert "512" in caught.value.reason
    assert "--context" in caught.value.hint


def test_the_longest_prompt_that_fits_leaves_room_for_one_token(opened, run, question) -> None:
    (done,) = run(opened()).all(_seats(question, 1, max_tokens=1))
    engine = opened(slots=2, context_tokens=done.prompt_tokens + 1)
    (last,) = run(engine).all(_seats(question, 1))
    assert (last.finish, last.tokens) == ("length", 1)
    with pytest.raises(Refused, match=str(done.prompt_tokens)):
        opened(slots=2, context_tokens=done.prompt_tokens).admit(Request(question, seed=1))


def test_an_answer_stops_at_the_end_of_the_context(opened, run, model_files) -> None:
    engine = opened(model_files(), context_tokens=64)
    done = run(engine).all(_seats("x", 8, max_tokens=500, temperature=1.5))
    full = [c for c in done if c.finish == "length"]
    assert full
    assert {c.prompt_tokens + c.tokens for c in full} == {64}


def test_a_prompt_without_a_single_token_is_refused(opened, model_files) -> None:
    with pytest.raises(Refused, match="empty"):
        opened(model_files(chat=False)).admit(Request("", seed=1))


def test_asking_for_no_token_is_refused(opened) -> None:
    with pytest.raises(Refused, match="max_tokens is 0"):
        opened().admit(Request("1 + 1 =", seed=1, max_tokens=0))


def test_a_null_character_in_a_prompt_does_not_cut_it(opened, run) -> None:
    short, whole = run(opened()).all(
        [Request("2 + 2", seed=1, max_tokens=1), Request("2\0 + 2", seed=1, max_tokens=1)]
    )
    assert whole.prompt_tokens > short.prompt_tokens


def test_a_long_prompt_is_computed_in_chunks_while_others_go_on(opened, question) -> None:
    engine = opened(slots=2, batch_tokens=16)
    engine.admit(Request(question, seed=1))
    while engine.step().tokens == 0:
        pass
    engine.admit(Request("Ann has 3 pears. " * 12, seed=2))
    steps = [engine.step() for _ in range(3)]
    assert [step.prefilled for step in steps] == [16, 16, 16]
    assert [step.tokens for step in steps] == [1, 1, 1]


def test_cancel_in_mid_sentence_gives_the_text_so_far_and_frees_the_slot(opened, question) -> None:
    engine = opened(slots=1)
    slot = engine.admit(Request(question, seed=1))
    for _ in range(6):
        engine.step()
    done = engine.cancel(slot)
    assert (done.finish, done.tokens) == ("cancelled", 6)
    assert done.text
    assert engine.admit(Request(question, seed=2)) == slot


def test_cancel_during_prefill_leaves_the_others_of_that_prompt_waiting_for_it(
    opened, run, question
) -> None:
    alone = run(opened()).all(_seats(question, 2))
    engine = opened(batch_tokens=16)
    first, second = (engine.admit(seat) for seat in _seats(question, 2))
    engine.step()
    assert engine.cancel(first).tokens == 0
    while not (finished := engine.step().finished):
        pass
    assert (finished[0].slot, finished[0].text) == (second, alone[1].text)


def test_cancelling_the_only_waiter_abandons_its_prompt(opened, run, question) -> None:
    engine = opened(batch_tokens=16)
    slot = engine.admit(Request(question, seed=1))
    engine.step()
    engine.cancel(slot)
    assert engine.step().prefilled == 0
    (done,) = run(engine).all([Request("1 + 1 =", seed=1, max_tokens=3)])
    assert done.tokens == 3


def _fail(patch: pytest.MonkeyPatch, engine_name: str, engine) -> str:
    """Let the library's next batch fail, which cannot be provoked; what it then says."""
    if engine_name == "llamacpp":
        patch.setattr(engine._context, "_decode", lambda *_: 1)  # no cells
        return "no room in the cache"
    said = "[malloc] Unable to allocate 8 bytes."

    def no_buffer(*_: object, **__: object) -> None:
        raise RuntimeError(said)

    patch.setattr(type(engine._context._network), "__call__", no_buffer)
    return said


def test_a_failing_decode_ends_its_requests_with_the_reason_and_the_engine_lives(
    opened, run, question, monkeypatch, engine_name
) -> None:
    engine = opened(slots=2)
    expected = [c.text for c in run(engine).all(_seats(question, 2))]
    for seat in _seats(question, 2):
        engine.admit(seat)
    engine.step()
    with monkeypatch.context() as patch:
        said = _fail(patch, engine_name, engine)
        finished = engine.step().finished
    assert [c.finish for c in finished] == ["error", "error"]
    assert said in finished[0].error
    assert [c.text for c in run(engine).all(_seats(question, 2))] == expected


def test_a_failing_prefill_ends_every_request_of_that_prompt(
    opened, run, question, monkeypatch, engine_name
) -> None:
    engine = opened(slots=3)
    for seat in _seats(question, 3):
        engine.admit(seat)
    with monkeypatch.context() as patch:
        said = _fail(patch, engine_name, engine)
        finished = engine.step().finished
    assert [c.finish for c in finished] == ["error"] * 3
    assert said in finished[0].error
    assert run(engine).all(_seats(question, 1))[0].finish == "stop"


def test_a_failing_start_ends_its_request_and_the_engine_lives(
    opened, run, question, monkeypatch, engine_name
) -> None:
    """No memory for a row, or for drawing the first token."""
    engine = opened(slots=2)
    expected = [c.text for c in run(engine).all(_seats(question, 2))]
    with monkeypatch.context() as patch:
        patch.setattr(type(engine._context), "restore", _no_room)
        failed = run(engine).all(_seats(question, 2))
    assert [(c.finish, c.error) for c in failed] == [("error", "no room for a row")] * 2
    assert [c.text for c in run(engine).all(_seats(question, 2))] == expected


def _no_room(*_: object) -> None:
    raise DecodeFailed("no room for a row")


def test_memory_for_prompts_is_bounded_and_an_evicted_prompt_is_computed_again(
    opened, run, question
) -> None:
    driven = run(opened(prefix_bytes=1))
    first, *_ = driven.all(_seats(question, 2))
    driven.all(_seats("1 + 1 =", 2))
    driven.prefilled = 0
    again, *_ = driven.all(_seats(question, 2))
    assert driven.prefilled == again.prompt_tokens
    assert again.text == first.text
