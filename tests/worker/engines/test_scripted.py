"""The scripted engine: the same answers everywhere, and failures on demand."""

import subprocess
import sys
from collections import Counter

import pytest

from worker.engine import Refused, Request
from worker.engines import LoadError, load
from worker.engines.misbehave import CRASHED
from worker.engines.scripted import CONTEXT_TOKENS


def test_echo_returns_the_prompt_in_one_step() -> None:
    engine = load("auto", "scripted:echo", 1)
    slot = engine.admit(Request("what was said", seed=3))
    (done,) = engine.step().finished
    assert (done.slot, done.text, done.finish) == (slot, "what was said", "stop")


def test_the_same_seed_and_prompt_give_the_same_answer_on_every_machine(run) -> None:
    engine = load("scripted", "scripted:answers=42,41,40", 4)
    texts = [done.text for done in run(engine).all([Request("q", seed=n) for n in range(8)])]
    assert texts == ["42", "42", "41", "40", "40", "41", "41", "41"]


def test_answers_come_as_often_as_their_weights_say(run) -> None:
    engine = load("auto", "scripted:answers=42*6,41*2", 8)
    counts = Counter(c.text for c in run(engine).all([Request("q", seed=n) for n in range(800)]))
    assert 540 < counts["42"] < 660
    assert counts["42"] + counts["41"] == 800


def test_an_answer_takes_as_many_steps_as_the_script_says(run) -> None:
    driven = run(load("auto", "scripted:answers=7;tokens=20", 2))
    (done,) = driven.all([Request("q", seed=1)])
    assert (done.tokens, done.text, driven.steps) == (20, "7", 20)


def test_max_tokens_cuts_an_answer_short(run) -> None:
    (done,) = run(load("auto", "scripted:answers=7;tokens=20", 2)).all(
        [Request("q", seed=1, max_tokens=5)]
    )
    assert (done.tokens, done.text, done.finish) == (5, "", "length")


def test_cancel_frees_the_slot_at_once() -> None:
    engine = load("auto", "scripted:tokens=20", 1)
    slot = engine.admit(Request("q", seed=1))
    engine.step()
    assert engine.cancel(slot).finish == "cancelled"
    assert engine.admit(Request("q", seed=2)) == slot


def test_an_idle_engine_steps_over_nothing() -> None:
    step = load("auto", "scripted:", 1).step()
    assert (step.tokens, step.prefilled, step.finished) == (0, 0, ())


def test_a_prompt_above_the_bound_is_refused_with_its_size() -> None:
    engine = load("auto", "scripted:echo", 1)
    with pytest.raises(Refused, match=str(CONTEXT_TOKENS)):
        engine.admit(Request("x" * CONTEXT_TOKENS, seed=1))


def test_fail_error_ends_every_request_with_an_error(run) -> None:
    done = run(load("auto", "scripted:tokens=9;fail=error;after=3", 2)).all(
        [Request("q", seed=n) for n in range(2)]
    )
    assert [(c.finish, c.tokens) for c in done] == [("error", 3)] * 2


def test_fail_load_is_a_load_error() -> None:
    with pytest.raises(LoadError, match="script says so"):
        load("auto", "scripted:fail=load", 1)


def test_fail_exit_ends_the_process() -> None:
    program = (
        "from worker.engines import load; from worker.engine import Request\n"
        "engine = load('auto', 'scripted:fail=exit;after=1;tokens=5', 1)\n"
        "engine.admit(Request('q', seed=1))\n"
        "while True: engine.step()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], timeout=60)
    assert ended.returncode == CRASHED


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("scripted:wat", "wat"),
        ("scripted:tokens=no", "tokens=no"),
        ("scripted:tokens=0", "tokens=0"),
        ("scripted:step_s=-1", "step_s=-1"),
        ("scripted:step_s=nan", "step_s=nan"),
        ("scripted:answers=a*0", "answers=a"),
        ("scripted:fail=perhaps", "fail=perhaps"),
        ("scripted:echo=7", "echo=7"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(reference: str, named: str) -> None:
    with pytest.raises(LoadError) as caught:
        load("auto", reference, 1)
    assert named in caught.value.seen
    assert caught.value.hint
