"""Text as it stands: equal only when the words are."""

FOLDED_CHARS_MAX = 1000
"""Longer texts never agree word for word by accident of spacing; they are only stripped."""


def read_text(text: str) -> str | None:
    """Strip the text; in a short one each run of white space counts as one blank."""
    text = text.strip()
    if len(text) <= FOLDED_CHARS_MAX:
        text = " ".join(text.split())
    return text or None
