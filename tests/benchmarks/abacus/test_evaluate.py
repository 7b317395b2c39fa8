"""Evaluation: how a sample is read and how the majority is counted."""

import pytest

from benchmarks.abacus.evaluate import majority, number_in


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12 + 3 = 15\n#### 15", "15"),
        ("#### 1\n#### 23", "23"),
        ("####7", "7"),
        ("#### -4", "-4"),
        ("the answer is 15", None),
        ("", None),
    ],
)
def test_the_number_after_the_last_mark_is_the_answer(text: str, number: str | None) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        (["1", "2", "2"], "2"),
        (["3", "1", "1", "3"], "3"),
        ([None, None, "5"], "5"),
        ([None], None),
        ([], None),
    ],
)
def test_the_majority_is_the_commonest_then_the_first(
    answers: list[str | None], winner: str | None
) -> None:
    assert majority(answers) == winner
