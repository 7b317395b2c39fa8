"""What hostile text costs grows no faster than the text: sizes are doubled twice and compared.

CPU time of this process, not the clock on the wall, and only its growth: whatever is quadratic
takes sixteen times as long for four times the text.
"""

import json
from collections.abc import Callable
from time import process_time

import pytest

from broker.voting import extract
from broker.voting.answers.auto import PROMPT_CHARS, of_prompt, of_vote
from broker.voting.answers.extraction import LOOKED_AT
from broker.voting.behaviour import calls, examples
from broker.voting.fields import CHARS_MAX as MERGED_MAX
from broker.voting.fields import merge
from broker.voting.medoid import CHARS_MAX as COMPARED_MAX
from broker.voting.medoid import ranked, unit_vectors
from tests.broker.voting.test_bad_input import FLOODS, KINDS

SMALL, LARGE = 1 << 12, 1 << 14
GROWTH_MAX = 11.0
"""Between the four times of linear and the sixteen of quadratic work."""

NOISE_S = 0.002
"""Less than this is not worth measuring: no text costs it more than a vote's own path does."""

MORE = [
    "\\boxed{a", "{}{", "[1,", "$", "\\left", "1,111", "(a)b ", "```json\n{", '{"a":1}', 'f("',
    "f(1) == 2\n", "\\pi/", "_{a}", "x = ", "1 = ", "option A ", "the ", "\u00a0", "ﬁ", "{,}",
    "<tool_call>", "10^{1", "x\n", "\ndef f(", "what ", "find the ", "write ", ")", "def f():",
    "1.111", "1 111", "0,1", "1 1/", "1:1", "1-1-", "2^", "½", "½a", "²", "-\\frac", "**1", "**1**",
    "seven ", "1 million ", "not ", "so ", "therefore ", "A)\n", "A is wrong ", "yes, ", "`a`",
    "returns ", "<answer>", "</answer>", "//", "/*", "{'a':", ",", "True ", "<function=f>",
    "<parameter=a>", "f(a=1)", "Action: f\n", "```a\n", "~~~\n", "@a\n", "\\(", "\\text{ a} ",
    "1\\frac{1}{", "label: ", "a because ",
    "[1]", "[THINK]", "a ☀", "\\frac{1}{\\]", "答案(A) ", "{'a':_{a}",
]  # fmt: skip

LOOKS: dict[str, Callable[[str], object]] = {
    **{kind: lambda text, kind=kind: extract(text, kind) for kind in KINDS},
    "choices": lambda text: extract(text, "choice", ("a", "a a", "9")),
    "numbers": lambda text: extract(text, "choice", ("1", "-1", "12.5", "$3")),
    "yes or no": lambda text: extract(text, "choice", ("yes", "no")),
    "letters": lambda text: extract(text, "choice", ("A", "B")),
    "of_vote": of_vote,
    "calls": lambda text: calls([text], "f"),
    "examples": lambda text: examples(text, "f"),
    "ranked": lambda text: ranked([text, "x"]),
}


def cost_s(look: Callable[[str], object], text: str) -> float:
    began = process_time()
    look(text)
    return process_time() - began


def grows_too_fast(look: Callable[[str], object], flood: str, small: int, large: int) -> bool:
    """Whether it did each time of five: what a neighbour on the core costs is not always there."""
    short, long = ((flood * size)[:size] for size in (small, large))
    for _ in range(5):
        cost = cost_s(look, long)
        if cost < NOISE_S or cost < GROWTH_MAX * cost_s(look, short):
            return False
    return True


@pytest.mark.parametrize("look", LOOKS)
def test_no_look_at_a_text_is_quadratic(look: str) -> None:
    floods = [*FLOODS, *MORE]
    assert [f for f in floods if grows_too_fast(LOOKS[look], f, SMALL, LARGE)] == []


def test_of_many_long_texts_no_more_is_compared_than_of_some() -> None:
    """The broker's loop stands still while prose is compared, or objects field by field."""
    size = 1 << 14
    vectors = unit_vectors([" ".join(f"{i}w{word}" for word in range(size)) for i in range(64)])
    assert sum(map(len, vectors)) <= COMPARED_MAX // 4
    assert merge([json.dumps({"a": 1, str(i): "x" * MERGED_MAX}) for i in range(2)]) is None
    assert merge([json.dumps({"a": 1, str(i): "x" * 99}) for i in range(2)]) is not None


def test_no_look_at_a_prompt_is_quadratic() -> None:
    floods = [*FLOODS, *MORE]
    sizes = PROMPT_CHARS // 4, PROMPT_CHARS
    assert [f for f in floods if grows_too_fast(of_prompt, f, *sizes)] == []


def test_this_would_see_what_is_quadratic() -> None:
    def quadratic(text: str) -> int:
        return sum(1 for _ in text[::16] for _ in text[::16])

    assert grows_too_fast(quadratic, "a", SMALL, LARGE)


@pytest.mark.parametrize("kind", LOOKED_AT)
def test_what_lies_beyond_the_bound_is_not_read(kind: str) -> None:
    """A megabyte costs what the bound costs, since the rest is cut before anything looks at it."""
    most = LOOKED_AT[kind]
    told = {"number": "#### 7", "json": '{"a":1}', "tool": '{"name":"f"}', "literal": "(1,)"}
    end = told.get(kind, "#### B")
    filled = end + "\n" + " " * (most - len(end)) + "x" * 10
    assert extract(filled, kind) == extract(filled[-most:], kind)
    assert extract("y" * (1 << 20) + "\n" + end, kind) is not None
