"""Spellings of numbers evened out before they are read: LaTeX, other scripts, words."""

import re
import unicodedata

LATEX_FRACTION = re.compile(
    r"(?P<sign>[-−]?)\s?\\[dtc]?frac\s?"
    r"(?:\{\s?(?P<inner>-?)\s?(?P<over>\d{1,40})\s?\}|(?P<one>\d))"
    r"\s?(?:\{\s?(?P<under>\d{1,40})\s?\}|(?P<other>\d))"
)
LATEX_NOISE = re.compile(
    r"\\(?:text|mathrm|mbox)\{[^{}]{0,200}\}|\\[!,;: ]|\\\$|\\%|\{,\}|\\(?:text|math)bf"
)
FOREIGN = re.compile(r"(?![0-9])\d|[¼-¾⅐-⅞]|[٫٬]|(?<=\d)[⁻⁰¹²³⁴-⁹]{1,9}")
"""Digits of other scripts, fractions in one sign, Arabic points and commas, raised digits."""

MARKS = {"٫": ".", "٬": ","}

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDS = re.compile(
    rf"[\W_]{{0,20}}(?:(?P<tens>{'|'.join(TENS)})(?:[- ](?P<unit>{'|'.join(ONES[1:10])}))?"
    rf"|(?P<small>{'|'.join(ONES)}))\b(?![ -](?:of|hundred|thousand|million|billion|and)\b)",
    re.IGNORECASE,
)
"""A number in words up to 99, at the start of a text."""


def plain(text: str) -> str:
    """The text with its numbers in ASCII digits, fractions as p/q, without LaTeX around them."""
    if not text.isascii():
        text = FOREIGN.sub(_ascii, text)
    if "\\" in text or "{" in text:
        text = LATEX_NOISE.sub(_noise, LATEX_FRACTION.sub(_fraction, text))
    return text


def _ascii(match: re.Match[str]) -> str:
    found = match[0]
    if found in MARKS:
        return MARKS[found]
    if len(found) == 1 and found.isdecimal():
        return str(unicodedata.decimal(found))
    spelled = unicodedata.normalize("NFKC", found).replace("⁄", "/").replace("−", "-")
    return f" {spelled}" if "/" in spelled else f"^{spelled}"


def _fraction(match: re.Match[str]) -> str:
    sign = "-" if bool(match["sign"]) != bool(match["inner"]) else ""
    return f" {sign}{match['over'] or match['one']}/{match['under'] or match['other']} "


def _noise(match: re.Match[str]) -> str:
    return "," if match[0] == "{,}" else " " if match[0].endswith("}") else ""


def spelled(text: str) -> str | None:
    """The number, in digits, that this text begins with in words."""
    match = WORDS.match(text)
    if match is None:
        return None
    if match["small"]:
        return str(ONES.index(match["small"].lower()))
    unit = ONES.index(match["unit"].lower()) if match["unit"] else 0
    return str(20 + 10 * TENS.index(match["tens"].lower()) + unit)
