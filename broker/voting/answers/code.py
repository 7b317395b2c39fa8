"""Answers that are a program: the last fenced block that defines something."""

import re
import textwrap

FENCE = re.compile(r"^[ \t]{0,8}(?:```+|~~~+)[ \t]*([\w+#.-]{0,20})[^\n`]*$", re.MULTILINE)
INLINE = "```"

BLOCKS_MAX = 64
"""Blocks of one text that are looked at, the last."""

DEFINES = re.compile(
    r"^[ \t]*(?:async |export |public |static |pub )*"
    r"(?:def|class|function|fn|func|fun|struct|impl)\s+(?!test|Test|main\b)\w",
    re.MULTILINE,
)
"""A line that says what something is, and is not a test of it."""

STARTS = re.compile(r"(?:@\w|(?:async )?def \w|class \w|import \w|from [\w.]+ import)")
CODE_LINE = re.compile(
    r"\s|$|[@#)\]}]|(?:def|class|import|from|async|if|for|while|with|try|except|else|elif|finally|return|"
    r"assert|print)\b|[A-Za-z_][\w.]{0,80}(?:\[[^\]\n]{0,80}\])?\s?(?:[-+*/|]?=|\()"
)
"""How a line of a program begins, and most prose does not."""

NO_PROGRAM = frozenset(
    ("bash", "sh", "shell", "console", "text", "txt", "plaintext", "output", "json", "yaml")
)
"""Languages of blocks that show how to run a program, or what it prints."""


def read_code(text: str) -> str | None:
    """The last finished block between fences that defines something, else the last; else one that
    does not end; without fences all of it.

    What follows a program is often its tests or its output. The canonical form only drops white
    space at line ends and blank lines at the edges: programs are compared by what they do (see
    `behaviour`), never by their text.
    """
    if INLINE not in text and "~~~" not in text:
        return _unfenced(text)
    blocks = _blocks(text)
    programs = [block for language, block in blocks if language.lower() not in NO_PROGRAM]
    found = programs or [block for _, block in blocks]
    defining = [block for block in found if DEFINES.search(block)]
    return next(reversed(defining or found), None)


def _blocks(text: str) -> list[tuple[str, str]]:
    """(language, tidy block) between fences on lines of their own, else between any."""
    fences = list(FENCE.finditer(text))
    pairs = list(zip(fences[::2], fences[1::2], strict=False))[-BLOCKS_MAX:]
    found = [(a[1], _dedented(text[a.end() : b.start()])) for a, b in pairs]
    if not found and fences:
        found = [(fences[0][1], _dedented(text[fences[0].end() :]))]
    if not fences:
        found = [("", _tidy(block)) for block in text.split(INLINE)[1::2][-BLOCKS_MAX:]]
    return [(language, block) for language, block in found if block]


def _unfenced(text: str) -> str | None:
    """The program between lines of prose; what starts with code, or indented, is all code."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    start = next((i for i, line in enumerate(lines) if STARTS.match(line)), None)
    if start is None or CODE_LINE.match(first):
        return _tidy(text)
    end = next((i for i in range(start, len(lines)) if not CODE_LINE.match(lines[i])), len(lines))
    return _tidy("\n".join(lines[start:end]))


def _dedented(block: str) -> str | None:
    """Tidy; a definition that stands indented as its fence is, say in a list, loses that."""
    tidy = _tidy(block)
    return textwrap.dedent(tidy) if tidy and DEFINES.match(tidy) else tidy


def _tidy(code: str) -> str | None:
    return "\n".join(line.rstrip() for line in code.splitlines()).strip("\n") or None
