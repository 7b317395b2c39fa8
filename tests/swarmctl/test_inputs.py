"""Which function is compared, and on which calls."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from broker.voting.behaviour import CALLS_MAX
from swarmctl.inputs import plan


def test_the_function_that_the_prompt_names_is_compared_with_the_calls_it_shows() -> None:
    prompt = "Write double(x).\n>>> double(2)\n4\n"
    sources = ["def helper(x): pass\ndef double(x): return 2 * x", "def helper(x): return x"]
    found = plan(prompt, sources, ["assert double(5) == 11", "I would test double(5) too"])
    assert found is not None
    assert (found.function, found.wanted, found.made_up) == ("double", {"double(2)": "4"}, False)
    assert found.calls == ("double(2)", "double(5)")


def test_without_any_call_arguments_of_each_kind_are_made_up() -> None:
    found = plan("Reverse it.", ["def turn(x): return x[::-1]"], [])
    assert found is not None
    assert found.made_up
    assert "turn('abc')" in found.calls
    assert "turn([3, 1, 2])" in found.calls
    assert "turn(2)" in found.calls


def test_programs_without_a_function_are_not_compared() -> None:
    assert plan("Print it.", ["print(1)", "no python at all", "def _own(): pass"], []) is None


@given(st.lists(st.text(max_size=60), max_size=4), st.integers(0, 9), st.text(max_size=80))
def test_any_text_gives_few_calls_that_parse(texts: list[str], arity: int, prompt: str) -> None:
    names = ", ".join(f"a{i}" for i in range(arity))
    found = plan(prompt, [f"def f({names}): return 1", *texts], texts)
    assert found is not None
    assert 0 < len(found.calls) <= CALLS_MAX
    for call in found.calls:
        ast.parse(call, mode="eval")
