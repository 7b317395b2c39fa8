"""Where in a text the answer stands: the last box, else what follows the last marker."""

import re

MARKERS = {
    "####": ("####",),
    "answer": (
        "answer is", "answer:", "answer =", "answer:**", "answer\":", "final answer", "<answer>",
        "[answer]", "<final_answer>",
    ),
    "\na:": ("\na:",),
    "ans =": ("ans =",),
    "antwort": ("antwort ist", "antwort lautet", "antwort:"),
    "respuesta": ("respuesta es", "respuesta:"),
    "posta": ("resposta é", "resposta:", "risposta è", "risposta:"),
}  # fmt: skip
"""What people and models write before an answer, in lower case, by what they have in common: a text
without that needs no more looks, which are most of what reading it costs."""

OTHER_MARKERS = {
    "réponse": ("réponse est", "réponse :"), "ответ:": ("ответ:",), "答": ("答案", "答え"),
    "정답": ("정답",),
}  # fmt: skip
"""The same, in texts that are not ASCII."""

ENDS = ("</answer>", "[/answer]", "</final_answer>")
LEFT_OVER = "是为は은：:"
"""What may stand between a marker and its answer, of what no reader of answers steps over."""

WRAPPED = re.compile(r"\\(?:text|mathrm|mbox)(?:bf|it)?\s?\{([^{}]*)\}\.?")

RETRACTS = re.compile(
    r"\b(?:wait|oops|sorry|hold on)\b[\W_]{1,4}(?:no\b|(?:actually\W{1,3})?that(?:['’]s| is| was) "
    r"(?:wrong|incorrect|not right)\b|i (?:made an? (?:mistake|error)|meant)\b)"
    r"|\bno[,.] (?:wait|actually)\b|\bscratch that\b|\bcorrection:",
    re.IGNORECASE,
)
RETRACTING = ("ait", "ops", "orr", "old on", "ctually", "cratch")
"""A piece of each word of RETRACTS, in small letters: most texts have none, and end here."""

RETRACTED_CHARS = 1000
"""Of a text's end: what is taken back before that is followed by another answer."""

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
            return _unwrapped(found)
        end = at
    return None


def _unwrapped(box: str) -> str:
    """Of a box that holds nothing but words in a font, the words."""
    only = WRAPPED.fullmatch(box)
    return only[1].strip() if only else box


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
    known = MARKERS if lower.isascii() else MARKERS | OTHER_MARKERS
    near = [markers for common, markers in known.items() if common in lower]
    end = max((_end_of_last(lower, marker) for markers in near for marker in markers), default=-1)
    if end <= 0:
        return None
    stop = min((lower.find(close, end) for close in ENDS if close in lower), default=-1)
    return (text[end:stop] if stop >= 0 else text[end:]).strip().lstrip(LEFT_OVER).strip() or None


def after_retraction(text: str) -> str | None:
    """What follows the last "Wait, no" or the like; None where nothing is taken back."""
    text = text[-RETRACTED_CHARS:]
    if not any(piece in text for piece in RETRACTING):
        return None
    end = max((match.end() for match in RETRACTS.finditer(text)), default=0)
    return text[end:] if end else None


def _end_of_last(text: str, marker: str) -> int:
    at = text.rfind(marker)
    return at + len(marker) if at >= 0 else -1
