"""A bounded window over many questions, and results that can be gone on with."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import messages as m
from swarmctl import asjson, render
from swarmctl.batch import WINDOW_MAX, Window, window_for
from swarmctl.exits import Failure
from swarmctl.questions import Question
from swarmctl.results import resume


@given(st.integers(1, 30), st.integers(1, 8), st.integers())
def test_results_come_in_order_and_never_more_are_out_than_the_window_holds(count, size, seed):
    dice = random.Random(seed)
    window = Window([Question(i, "?") for i in range(count)], size)
    asked = list(window.take())
    ended = 0
    told = []
    while asked:
        assert len(asked) <= size
        assert ended - len(told) + len(asked) <= size
        question = asked.pop(dice.randrange(len(asked)))
        verdict = m.Verdict(job=str(question.id), outcome="decided", stopped="", asked=1)
        ended += 1
        for first, result in window.end(question, verdict):
            assert result.job == str(first.id)
            told.append(first.id)
        asked += window.take()
    assert told == list(range(count))
    assert window.is_done


@pytest.mark.parametrize(
    ("slots", "votes", "jobs"), [(0, 8, 2), (8, 8, 3), (8, 1, 10), (64, 8, 10), (4096, 1, 32)]
)
def test_there_are_as_many_jobs_out_as_keep_the_slots_busy(slots, votes, jobs):
    assert window_for(slots, votes) == jobs
    assert jobs <= WINDOW_MAX


def a_result(question):
    """A line as `--out` writes it."""
    return asjson.line({"id": question, "outcome": "decided", "answer": "2"}).encode() + b"\n"


@pytest.mark.parametrize("cut", [1, 10, 17, 30])
def test_a_torn_last_line_is_dropped_and_the_rest_is_there(cut):
    whole = a_result(1) + a_result("b")
    file = io.BytesIO(whole + a_result(3)[:cut])
    assert resume(file, "out") == {1, "b"}
    assert file.getvalue() == whole
    assert file.tell() == len(whole)


def test_a_new_file_holds_nothing():
    assert resume(io.BytesIO(), "out") == set()


QUESTION = b'{"id": 1, "prompt": "What is 6 times 7?"}'


@pytest.mark.parametrize(
    "raw", [b"hello\n", b"hello", QUESTION + b"\n", QUESTION, a_result(1) + QUESTION, b"\xff\n"]
)
def test_a_file_of_something_else_is_left_alone(raw):
    file = io.BytesIO(raw)
    with pytest.raises(Failure, match="is no result"):
        resume(file, "out")
    assert file.getvalue() == raw


def test_an_id_cannot_steer_a_terminal_or_break_a_column():
    verdict = m.Verdict(job="j", outcome="failed", stopped="", asked=1)
    for end in (verdict, None):
        assert render.batch_line("a\tb\n\x1b[31m", end) == "a b  [31m\t\t0.00"
