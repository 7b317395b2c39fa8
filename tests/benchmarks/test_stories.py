"""Stories: the same seed tells the same ones, their answers are right, the unseen stay unseen."""

import itertools
import json
import random
import re
import zlib

import pytest

from benchmarks.stories import (
    HELD_OUT_EVERY,
    NUMBER_MAX,
    Story,
    Term,
    explain,
    main,
    make_story,
    make_sum,
    solutions,
    unseen,
)


def _many(count: int, seed: int = 7) -> list[Story]:
    rng = random.Random(seed)
    return [make_story(rng) for _ in range(count)]


def _answer_by_reading(question: str) -> int:
    """A dumb oracle: it knows the words, not the terms behind them."""
    told = question[: question.index("How many")]
    total = 0
    for clause in re.split(r"\.| and then | and |, then ", told):
        numbers = [int(number) for number in re.findall(r"\d+", clause)]
        assert len(numbers) in {0, 1, 2}, clause
        amount = numbers[0] * numbers[-1] if len(numbers) == 2 else sum(numbers)
        lost = re.search(r"\b(gives|loses|sells|drops)\b", clause)
        total += -amount if lost else amount
    return total


def test_the_same_seed_tells_the_same_stories() -> None:
    assert _many(50, seed=3) == _many(50, seed=3)


def test_another_seed_tells_other_stories() -> None:
    assert _many(50, seed=3) != _many(50, seed=4)


def test_a_reader_of_the_words_comes_to_the_same_answer() -> None:
    for story in _many(2_000):
        assert _answer_by_reading(story.question) == story.answer, story


def test_a_bare_sum_is_what_python_makes_of_it() -> None:
    rng = random.Random(5)
    for story in (make_sum(rng) for _ in range(500)):
        expression = re.sub(r"[^\d+* -]", "", story.question)
        assert eval(expression) == story.answer, story  # digits and + * - only


def test_every_line_of_every_solution_is_a_true_equation_with_small_numbers() -> None:
    for story in _many(500):
        for order in solutions(story):
            *lines, last = explain(order).split("\n")
            assert last == f"#### {story.answer}"
            for line in lines:
                left, right = line.split(" = ")
                assert eval(left) == int(right)  # digits and + * - only
                assert 0 <= int(right) <= NUMBER_MAX


def test_the_order_of_the_telling_is_always_a_solution() -> None:
    assert all(story.terms in solutions(story) for story in _many(500))


def test_a_way_through_negative_numbers_is_no_solution() -> None:
    start, loss, gain = Term(1, (3,)), Term(-1, (5,)), Term(1, (4,))
    ways = solutions(Story("?", (start, gain, loss)))
    assert set(ways) == {(start, gain, loss), (gain, start, loss)}


def test_a_story_has_two_to_four_terms_and_products_among_them() -> None:
    stories = _many(500)
    assert {len(story.terms) for story in stories} == {2, 3, 4}
    assert any(len(term.factors) == 2 for story in stories for term in story.terms)


def test_unseen_stories_are_held_out_and_distinct() -> None:
    stories = list(itertools.islice(unseen(random.Random(1)), 60))
    assert len({story.question for story in stories}) == 60
    assert all(zlib.crc32(s.question.encode()) % HELD_OUT_EVERY == 0 for s in stories)


def test_the_command_prints_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--seed", "9", "--count", "20"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(line) for line in lines] == [{"id", "prompt", "answer"}] * 20
    assert len({line["id"] for line in lines}) == 20
    for line in lines:
        assert str(_answer_by_reading(line["prompt"])) == line["answer"]


def test_the_command_may_be_told_json_and_prints_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--seed", "9", "--count", "5", "--json"])
    asked = capsys.readouterr().out
    main(["--seed", "9", "--count", "5"])
    assert capsys.readouterr().out == asked


@pytest.mark.parametrize("count", ["-1", "100001"])
def test_a_count_out_of_bounds_is_wrong_usage(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--count", count])
    assert stopped.value.code == 2
    assert "outside 0 to 100000" in capsys.readouterr().err
