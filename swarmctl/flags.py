"""Texts of flags that are no settings of a node: what they mean, or why they mean nothing."""

from detect import keys
from swarmctl.exits import wrong


def duration_s(flag: str, text: str, *, or_zero: bool = False) -> float:
    """The seconds of `60s` or `2m`, above 0 unless `or_zero`. Raises Failure when it is none."""
    try:
        seconds = keys.duration_s(text)
    except ValueError:
        seconds = -1.0
    if 0 < seconds < float("inf") or (or_zero and seconds == 0):
        return seconds
    least = "of 0 or more" if or_zero else "above 0"
    raise wrong(f"{flag} {text!r}", f"it is no duration {least}", "500ms, 10s, 2m")


def whole(flag: str, text: str, low: int, high: int, hint: str) -> int:
    """A whole number from `low` to `high`. Raises Failure when it is none."""
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if low <= number <= high:
        return number
    raise wrong(f"{flag} {text!r}", f"it takes a whole number, {low} to {high}", hint)
