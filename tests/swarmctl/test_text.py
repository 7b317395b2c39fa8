"""Text for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmctl.text import (
    PLAIN,
    Ink,
    failure,
    plural,
    safe_text,
    seconds,
    shorten,
    size,
    table,
    width,
)


def test_a_models_words_cannot_move_the_cursor():
    assert "\x1b" not in safe_text("\x1b[2Jgone\r\nnext\x07")
    assert safe_text("two\n\tlines") == "two\n\tlines"


@given(st.text(), st.integers(1, 30))
def test_a_shortened_text_fits(text, columns):
    short = shorten(text, columns)
    assert width(short) <= columns
    assert short.isprintable()


def test_a_text_that_fits_stays_whole():
    assert shorten("forty-two", 9) == "forty-two"
    assert shorten("forty-two", 8) == "forty-t…"


def test_wide_characters_take_two_columns():
    assert width("四十二") == 6
    assert shorten("四十二", 5) == "四十…"


def test_a_table_is_aligned_on_a_terminal_and_tabbed_elsewhere():
    rows = [("w1", "alive", "fine"), ("w10", "failed", "no such file")]
    assert table(("ID", "STATE", "WHY"), rows, 80) == (
        "ID   STATE   WHY\nw1   alive   fine\nw10  failed  no such file"
    )
    assert table(("ID", "STATE", "WHY"), rows, None) == (
        "ID\tSTATE\tWHY\nw1\talive\tfine\nw10\tfailed\tno such file"
    )


def test_a_table_stays_within_the_terminal():
    lines = table(("A", "B"), [("x" * 20, "y" * 100)], 60).splitlines()
    assert all(width(line) <= 60 for line in lines)


def test_a_cell_with_a_tab_or_newline_stays_one_cell():
    assert table(("A", "B"), [("1\t2", "3\n4")], None) == "A\tB\n1 2\t3 4"


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-"), (0.0123, "12 ms"), (1.25, "1.2 s"), (75, "1 m 15 s"), (3720, "1 h 2 m")],
)
def test_durations_are_said_as_people_say_them(value, said):
    assert seconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "-"), (0, "0 B"), (2048, "2.0 KiB"), (3 << 30, "3.0 GiB")]
)
def test_unknown_bytes_are_a_dash_and_no_bytes_are_zero(value, said):
    assert size(value) == said


def test_one_is_singular():
    assert (plural(1, "vote"), plural(0, "vote")) == ("1 vote", "0 votes")


def test_a_failure_says_what_was_seen_the_cause_and_the_next_command():
    assert failure("it broke", "rain", "umbrella", PLAIN) == (
        "error: it broke\nbecause: rain\nhint: umbrella"
    )
    assert failure("it broke", "", "", PLAIN) == "error: it broke"


def test_ink_is_off_or_balanced():
    assert Ink(True).red("x") == "\x1b[31mx\x1b[0m"
    assert Ink(True).red("") == PLAIN.red("")
    assert PLAIN.red("x") == "x"
