"""Each error says what was seen, why, and what to do next: three texts, none of them empty."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "swarmctl").glob("*.py"), ROOT / "broker" / "clients.py"])
BEFORE_SEEN = {"wrong": 0, "Failure": 0, "Problem": 1}
"""Arguments before the three texts, by what makes an error."""

LEFT_OUT = {"got.error"}
"""A plan's error holds its because."""


def lacking(tree):
    """What stands where a text is missing or empty."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        if (before := BEFORE_SEEN.get(call.func.id)) is None:
            continue
        texts = call.args[before : before + 3]
        empty = [isinstance(text, ast.Constant) and not text.value for text in texts]
        if (len(texts) < 3 or any(empty)) and ast.unparse(texts[0]) not in LEFT_OUT:
            yield f"line {call.lineno}: {ast.unparse(texts[0])}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_error_has_its_because_and_its_hint(path):
    assert list(lacking(ast.parse(path.read_text()))) == []
