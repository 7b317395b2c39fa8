"""Each fault case of docs/RELIABILITY.md has tests named after it, and names only real ones."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

CASES = 32


def named() -> dict[int, set[str]]:
    """The names of tests, by the case that they are named after."""
    found: dict[int, set[str]] = {}
    for path in (ROOT / "tests").rglob("*.py"):
        for name, case in re.findall(r"(?:def test_|\")(case_(\d+)_\w+)", path.read_text()):
            found.setdefault(int(case), set()).add(name)
    return found


def rows() -> dict[int, str]:
    """The rows of the table, by case."""
    text = (ROOT / "docs" / "RELIABILITY.md").read_text()
    return {int(n): row for n, row in re.findall(r"^\| (\d+) \| (.*)$", text, re.MULTILINE)}


def test_each_case_has_a_test_named_after_it() -> None:
    assert set(named()) == set(range(1, CASES + 1))


def test_the_table_names_each_case_and_only_tests_that_exist() -> None:
    names, table = named(), rows()
    assert sorted(table) == list(range(1, CASES + 1))
    for case, row in table.items():
        told = re.findall(r"`(case_\d+_\w+)…?`", row)
        every = {name for one in names.values() for name in one}
        unknown = [name for name in told if not any(one.startswith(name) for one in every)]
        assert not unknown, unknown
        assert told, f"case {case} names no test"
        for story in re.findall(r"story `(\w+)`", row):
            assert (ROOT / "tests" / "broker" / "stories" / f"{story}.txt").exists(), story
