"""Spellings of numbers evened out before they are read: LaTeX, other scripts, words."""

import re
import unicodedata

from broker.voting.answers.numbers import canonical

LATEX_FRACTION = re.compile(
    r"(?P<sign>[-−]?)\s?\\[dtc]?frac\s?"
    r"(?:\{\s?(?P<inner>-?)\s?(?P<over>\d{1,40})\s?\}|(?P<one>\d))"
    r"\s?(?:\{\s?(?P<under>\d{1,40})\s?\}|(?P<other>\d))"
)
LATEX_NOISE = re.compile(
    r"\\(?:text|mathrm|mbox)\{[^{}]{0,200}\}|\\[!,;: ]|\\\$|\\%|\{,\}|\\(?:text|math)bf"
)
FOREIGN = re.compile(r"(?![0-9])\d|[¼-¾⅐-⅞]|[٫٬⁄]|(?<=\d)[⁻⁰¹²³⁴-⁹]{1,9}")
"""Digits of other scripts, fractions in one sign, Arabic points and commas, raised digits."""

MARKS = {"٫": ".", "٬": ",", "⁄": "/"}

MINUS = re.compile(
    r"(?P<before>^|\b(?:is|to|of|at|was|be|equals)\s|[:=*]\s?)(?:minus|negative)\s(?=[$€£¥]?\d)",
    re.IGNORECASE,
)
"""A sign in words. Behind another word it may be a sum: "12 apples minus 5"."""

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"thousand": 3, "million": 6, "billion": 9}
PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifths": 5}
OPENING = re.compile(r"[\W_]{0,20}([A-Za-z -]{1,160})")
"""The words that a text starts with, more than a number takes."""


def plain(text: str) -> str:
    """The text with its numbers in ASCII digits, fractions as p/q, without LaTeX around them."""
    if not text.isascii():
        text = FOREIGN.sub(_ascii, text)
    if "\\" in text or "{" in text:
        text = LATEX_NOISE.sub(_noise, LATEX_FRACTION.sub(_fraction, text))
    if "inus " in text or "egative " in text:
        text = MINUS.sub(r"\g<before>-", text)
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
    opening = OPENING.match(text)
    words = re.findall("[a-z]+", opening[1].lower()) if opening else []
    total = part = 0
    for at, word in enumerate(words):
        if word in ONES and part % 10 == 0:
            part += ONES.index(word)
        elif word in TENS and part % 100 == 0:
            part += 20 + 10 * TENS.index(word)
        elif word == "hundred" and at:
            part *= 100
        elif word in SCALES and at:
            total, part = total + part * 10 ** SCALES[word], 0
        elif word in PARTS and at == 1:
            return canonical("", str(part), str(PARTS[word]))
        elif word != "and" or not at:
            unsure = word == "of" or word in PARTS or word in ONES or words[at - 1] == "and"
            return str(total + part) if at and not unsure else None
    return str(total + part) if words else None
