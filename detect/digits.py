"""Whole numbers in what a machine, a record of one, or a variable says. Pure."""

DIGITS_MAX = 20  # of the largest 64-bit number


def digits(text: str) -> int | None:
    """The number that a text of digits is; None for any other text.

    str.isdigit() alone also takes signs such as a raised 2, and any length; int() takes neither.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None
