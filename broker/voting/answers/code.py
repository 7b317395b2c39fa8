"""Answers that are a program: the last fenced block."""

FENCE = "```"


def read_code(text: str) -> str | None:
    """The last finished block between fences, else an unfinished one; without fences all of it.

    Its canonical form only drops white space at line ends and blank lines at the edges: programs
    are compared by what they do (see `behaviour`), never by their text.
    """
    if FENCE not in text:
        return _tidy(text)
    parts = text.split(FENCE)
    finished = parts[1 : len(parts) - (len(parts) % 2 == 0) : 2]
    for block in reversed(finished or parts[1:2]):
        first, newline, rest = block.partition("\n")
        found = _tidy(rest if newline and " " not in first.strip() else block)
        if found:
            return found
    return None


def _tidy(code: str) -> str | None:
    return "\n".join(line.rstrip() for line in code.splitlines()).strip("\n") or None
