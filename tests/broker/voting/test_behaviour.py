"""Programs compared by recorded outputs."""

from broker.voting import Cast, Rules, Tally
from broker.voting.behaviour import Behaviour, calls, choose, examples, groups


def ran(*outputs: str) -> list[Behaviour]:
    """One program a string: a letter is an output, "!" an exception, "0" None."""
    names = {"!": None, "0": "None"}
    return [Behaviour(tuple(names.get(o, o) for o in each)) for each in outputs]


def test_programs_that_do_the_same_are_one_group_the_largest_first() -> None:
    found = groups(ran("ab", "ac", "ab"))
    assert [group.members for group in found] == [(0, 2), (1,)]


def test_programs_that_only_raise_or_return_none_are_in_no_group() -> None:
    assert [group.members for group in groups(ran("!!", "00", "!0", "a!"))] == [(3,)]


def test_the_program_with_the_most_company_on_each_input_is_chosen() -> None:
    assert choose(ran("xy", "xy", "abc", "abd", "abe")) == 2


def test_empty_programs_are_no_company_however_many() -> None:
    assert choose(ran("00", "00", "00", "ab")) == 3
    assert choose(ran("!!", "00")) is None


def test_what_the_prompt_says_comes_before_company() -> None:
    assert choose(ran("ab", "ab", "xb"), {0: "x"}) == 2


def test_calls_are_read_out_of_tests_with_the_most_frequent_first() -> None:
    tests = ["assert f(1, [2]) == 3\nassert f(1,[2]) == 4", "assert f('a)(') == 1", "f(x) == 2"]
    assert calls(tests, "f") == ["f(1, [2])", "f('a)(')"]


def test_examples_of_a_prompt_are_read_with_what_they_give() -> None:
    prompt = '''def f(x):
    """Doubles.
    >>> f(1)
    2
    f([1]) == [1, 1]
    f("a") should return "aa".
    f(y) -> 3
    """'''
    assert examples(prompt, "f") == {"f(1)": "2", "f([1])": "[1, 1]", "f('a')": "'aa'"}


def test_code_is_never_counted_by_its_text() -> None:
    tally = Tally(Rules(4, answer="code"))
    for seat, text in enumerate(["x = 1", "pass", "pass", "pass"]):
        assert tally.judge().outcome == "pending"
        tally.cast(Cast(seat, text, "stop"))
    judged = tally.judge()
    assert (judged.winner, judged.agreement) == (0, 0.25)
    assert judged.reason == "programs are not counted by their text: the first"
