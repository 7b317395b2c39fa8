"""What models really write, and what a careful reader takes for their answer: as_written.txt.

Of each row: the answer type, with its options; the text, with ⏎ for the end of a line; the answer,
"-": it abstains.
"""

from pathlib import Path

import pytest

from broker.voting import extract

TABLE = Path(__file__).with_name("as_written.txt").read_text(encoding="utf-8")

SHORT = {"get_weather Paris": '{"arguments":{"city":"Paris"},"name":"get_weather"}'}


@pytest.mark.parametrize("row", [row for row in TABLE.splitlines() if row])
def test_what_models_write_is_read_as_a_careful_reader_does(row: str) -> None:
    kind, text, answer = row.replace("⏎", "\n").replace("\\u202f", "\u202f").split(" | ")
    kind, _, options = kind.partition(" of ")
    choices = tuple(options.split(" ; ")) if options else ()
    assert (extract(text, kind, choices) or "-") == SHORT.get(answer, answer)
