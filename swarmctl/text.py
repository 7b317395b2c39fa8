"""Text for people: colours, columns, and nothing that could steer their terminal. Pure."""

from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

import msgspec


class Ink(msgspec.Struct, frozen=True):
    """ANSI colours, or nothing (ECMA-48, 8.3.117)."""

    on: bool

    def _paint(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    def bold(self, text: str) -> str:
        """For what was asked for."""
        return self._paint(1, text)

    def dim(self, text: str) -> str:
        """For what is also there."""
        return self._paint(2, text)

    def red(self, text: str) -> str:
        """For what failed."""
        return self._paint(31, text)

    def green(self, text: str) -> str:
        """For what is well."""
        return self._paint(32, text)

    def yellow(self, text: str) -> str:
        """For what wants a look."""
        return self._paint(33, text)


PLAIN = Ink(False)


def safe(text: str, keep: str = "") -> str:
    """The text without control characters: a model's or a peer's words must not move a cursor."""
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def safe_all(value: Any) -> Any:
    """The same value with every text in it safe: what a recorded machine says of itself."""
    if isinstance(value, dict):
        return {key: safe_all(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [safe_all(one) for one in value]
    return safe(value) if isinstance(value, str) else value


def safe_text(text: str) -> str:
    """As `safe`, with its lines."""
    return safe(text, keep="\n\t")


def width(text: str) -> int:
    """Columns that a text takes; wide East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def shorten(text: str, columns: int) -> str:
    """One line of at most so many columns, with … where it was cut."""
    flat = " ".join(safe(text).split())
    if width(flat) <= columns:
        return flat
    kept, used = [], 1
    for c in flat:
        used += width(c)
        if used > columns:
            break
        kept.append(c)
    return "".join(kept) + "…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None) -> str:
    """Aligned columns for a terminal; tab-separated with the same head otherwise (None).

    The last column is cut at the terminal's edge.
    """
    cells = [[safe(cell) for cell in row] for row in [head, *rows]]
    if columns is None:
        return "\n".join("\t".join(row) for row in cells)
    widths = [max(width(row[i]) for row in cells) for i in range(len(head) - 1)]
    room = max(10, columns - sum(widths) - 2 * len(widths))
    return "\n".join(
        "  ".join(
            [*(pad(cell, w) for cell, w in zip(row, widths, strict=False)), shorten(row[-1], room)]
        ).rstrip()
        for row in cells
    )


def pad(text: str, columns: int) -> str:
    """The text, filled with spaces up to so many columns."""
    return text + " " * (columns - width(text))


def seconds(value: float | None) -> str:
    """A duration as people say it."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{value // 60:.0f} m {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} m"


def size(value: int | None) -> str:
    """Bytes as people say them; unknown is a dash, never zero."""
    if value is None:
        return "-"
    for unit, step in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= step:
            return f"{value / step:.1f} {unit}"
    return f"{value} B"


def plural(count: int, noun: str) -> str:
    """`1 vote`, `2 votes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def failure(seen: str, because: str, hint: str, ink: Ink) -> str:
    """The three lines of every error."""
    lines = [(ink.red("error:"), seen), (ink.dim("because:"), because), (ink.dim("hint:"), hint)]
    return "\n".join(f"{label} {safe_text(said)}" for label, said in lines if said)
