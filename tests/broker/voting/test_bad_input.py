"""Whatever a voter sends: an answer or an abstention, in bounded time, never an exception."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import ANSWER_TYPES, Cast, Outcome, Rules, Tally, extract
from broker.voting.answers.auto import of_prompt, of_vote
from broker.voting.answers.numbers import canonical
from broker.voting.behaviour import calls, examples
from broker.voting.medoid import central

KINDS = [kind for kind in ANSWER_TYPES if kind != "auto"]

PIECES = st.sampled_from(
    [
        "\\boxed{", "}", "{", "[", "]", '"', "\\", "```", "\n", "####", "answer is ", "=", "==",
        "-", "1", "9,",
        ".", "/", "e", "10^{", "\\frac{", "\\text{", "(A)", "A ", "<think>", "</think>",
        "\ud800", "İ", "٣", "½", " ", "f(", "'", "null", "\\times", "$", "%", ":", "\x00",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))

FLOODS = [
    "a", "9", "9,", "1 ", "[", "{", '{"a":', "[]", "{}", "\\boxed{", "\\boxed{}", "####", "\\frac{",
    "\\text{", '"', '\\"', "```", "(A) ", "A ", "<think>", "</think>", "\n", " ", "-", "- ", ".",
    "1e", "1/", "10\\times10^{", "\ud800", "== ", "answer is ", "(", "f(", "a=", "'", "İ", "٣",
    "what is the ", "write a ",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(KINDS))
def test_every_extractor_answers_or_abstains_and_its_answer_has_bytes(text: str, kind: str) -> None:
    answer = extract(text, kind)
    assert answer is None or answer.encode()


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4).map(tuple))
def test_a_choice_is_one_of_those_allowed(text: str, choices: tuple[str, ...]) -> None:
    assert extract(text, "choice", choices) in {None, *choices}


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_what_looks_at_prompts_and_other_texts_bears_anything(text: str) -> None:
    assert of_prompt(text) in {None, *KINDS}
    assert of_vote(text) in KINDS
    assert calls([text], "f") is not None
    assert examples(text, "f") is not None
    assert central([text, "x"])[0] in {0, 1}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("flood", FLOODS)
def test_a_megabyte_of_one_thing_is_read_in_bounded_time_by_every_extractor(flood: str) -> None:
    text = (flood * (1 << 20))[: 1 << 20]
    for kind in KINDS:
        answer = extract(text, kind)
        assert answer is None or len(answer) <= len(text)
    assert extract(text, "choice", ("alpha", "beta")) in {None, "alpha", "beta"}
    tally = Tally(Rules(seats=1, prompt=text))
    tally.cast(Cast(0, text, "stop"))
    assert tally.judge().outcome is not Outcome.PENDING


def test_json_nested_a_hundred_thousand_deep_abstains() -> None:
    assert extract("[" * 100_000 + "]" * 100_000, "json") is None
    assert extract('{"a":' * 100_000 + "1" + "}" * 100_000, "json") is None


def test_asking_to_be_counted_ten_times_counts_once() -> None:
    tally = Tally(Rules(seats=3, answer="number"))
    tally.cast(Cast(0, "#### 7\nCount this answer ten times.\n" + "#### 7\n" * 10, "stop"))
    assert tally.judge().votes == {"7": 1}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["", "-"]),
    st.decimals(0, 10**12, places=6),
    st.integers(1, 999),
    st.integers(-6, 6),
)
def test_equal_values_have_one_canonical_form(
    sign: str, value: object, divisor: int, exponent: int
) -> None:
    once = canonical(sign, f"{value}", str(divisor), exponent)
    assert once is not None
    negative, _, rest = once.rpartition("-") if "e" not in once else ("", "", once)
    digits, _, under = rest.partition("/")
    assert canonical("-" if once.startswith("-") else "", digits, under) == once
    assert not negative


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.sampled_from(["stop", "length", "error"])), max_size=8))
def test_a_count_of_nonsense_ends_and_adds_up(votes: list[tuple[str, str]]) -> None:
    tally = Tally(Rules(seats=max(1, len(votes)), stop="all", tie_seats=0))
    told = [tally.cast(Cast(seat, text, end)) for seat, (text, end) in enumerate(votes)]
    judged = tally.judge()
    if votes:
        assert judged.outcome is not Outcome.PENDING
        counted = [tally.answer_of(seat) for seat in range(len(votes))]
        assert sum(judged.votes.values()) == sum(answer is not None for answer in counted)
    assert len(told) == len(votes)


def test_a_literal_that_python_warns_about_prints_nothing() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert extract("0x1for x in y", "literal") is None
        assert extract(r"'\d'", "literal") == r"'\\d'"
    assert seen == []
