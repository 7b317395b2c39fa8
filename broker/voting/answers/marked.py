"""Where in a text the answer stands: the last box, else what follows the last marker."""

MARKERS = (
    "####",
    "answer is",
    "answer:",
    "answer =",
    "answer:**",
    "final answer",
    "\na:",
    "ans =",
    "答案",
)
"""What people and models write before an answer, in lower case."""

BOXES = ("\\boxed", "\\fbox")
BOX_CHARS_MAX = 4096
"""A box longer than this holds no answer; it also bounds the search for its end."""

TAIL_CHARS = 2000
"""An answer is looked for in this much of a text's end first, then in all of it."""


def last_box(text: str) -> str | None:
    r"""Content of the last finished \\boxed{...}; None when there is none."""
    end = len(text)
    for _ in range(8):  # unfinished boxes are stepped over, a few at most
        at = max(text.rfind(box, 0, end) for box in BOXES)
        if at < 0:
            return None
        found = _braced(text, at)
        if found is not None:
            return found
        end = at
    return None


def _braced(text: str, at: int) -> str | None:
    start = text.find("{", at, at + 16)
    if start < 0:
        return None
    depth = 0
    for i in range(start, min(len(text), start + BOX_CHARS_MAX)):
        char = text[i]
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if not depth:
                return text[start + 1 : i].strip()
    return None


def after_marker(text: str) -> str | None:
    """What follows the last marker; None when there is none, or nothing after it."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose small form is longer: places would not match
        text = lower
    end = max(_end_of_last(lower, marker) for marker in MARKERS)
    return text[end:].strip() or None if end > 0 else None


def _end_of_last(text: str, marker: str) -> int:
    at = text.rfind(marker)
    return at + len(marker) if at >= 0 else -1
