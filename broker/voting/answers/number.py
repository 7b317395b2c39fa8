"""Answers that are one number.

Order of looking, by what was right most often on GSM8K texts of 14 models (docs/VOTING.md): the
last box, else the first number after the last marker, else the last number of the text.
"""

import re
from collections.abc import Iterator

from broker.voting.answers.marked import TAIL_CHARS, after_marker, last_box
from broker.voting.answers.numbers import canonical
from broker.voting.answers.numerals import plain, spelled

STARTS = r"(?<![\d^])(?<!\^\{)(?=[$€£¥−–-]{0,3}\s?[.\d])"
MONEY = r"(?P<money>(?=[-−–]?[$€£¥])|(?<=USD\s|EUR\s|GBP\s))?"
SIGN = r"[$€£¥]?(?P<sign>(?<![\w.)\]}%])[-−–](?=[$€£¥.\d]))?[$€£¥]?\s?"
SIDE = r"(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,15}(?:\.\d{1,9})?)"
RANGE = (
    rf"(?P<low>{SIDE})(?:%|(?P<lows>[kKMB])(?=.\W?[\d.]{{1,9}}[kKMB]))?(?:\s?[–—]\s?|[-~])[$€£¥]?"
    rf"(?P<high>-?{SIDE})(?![\d_^/-]|\*(?!\*)|\*\*\w|[.,]\d|[A-Za-z]\d|[ijxyz]\b)"
)
"""Two numbers are one answer; the second also says what scale the first has: 2-3 million."""

DATE = r"\d{1,4}(?P<mark>[-/.])\d{1,2}(?P=mark)\d{1,4}(?!\d)"
RATIO = r"\d{1,4}:\d(?![\d:])"
TIME = r"\d{1,2}:[0-5]\d(?::[0-5]\d)?(?![\d:])"
EUROPEAN = (
    r"\d{1,3}(?:[. \u00a0\u202f]\d{3}){1,8},\d{1,2}(?!\d)|\d{1,3}(?:\.\d{3}){2,8}(?![\d.])"
    r"|(?<!\d,)(?:0,\d+|\d+,\d{1,2})(?!\d|,\d)"
)
WHOLE = r"(?:(?P<whole>\d{1,4})\s{1,2}(?=\d{1,9}\s?/\s?\d))?"
GROUPED = r"[1-9]\d{0,2}(?:[,'’\u00a0\u2009\u202f]\d{3})+(?!\d)(?:\.\d+)?"
SPACED = r"\d{1,3}(?: \d{3}){2,8}(?!\d)"
INDIAN = r"\d{1,2}(?:,\d\d){1,6},\d{3}(?!\d)"
PLAIN = r"\d+(?:\.\d+)?|(?<![\w.])\.\d+"
POWER = r"(?:(?:\^|\*\*)\{?(?P<power>-?\d{1,4})\}?(?!\d))?"
TIMES = r"\s?(?:\\times|\\cdot|×|·|\*|x)\s?10\^\{?(?P<pow>[-+]?\d{1,6})\}?"
EXPONENT = rf"(?:[eE](?P<exp>[-+]?\d{{1,6}})(?!\w|\.\d)|{TIMES})?"
UNDER = r"(?:\s?/\s?(?P<under>\d+(?:\.\d+)?)(?![\w/]))?"
SCALE = (
    r"(?:\s?(?:(?P<scale>(?i:hundred|thousand|million|billion|trillion|lakh|crore))(?:s)?(?![\w-])"
    r"|(?P<myriad>[万萬亿億])))?"
)
COINS = r"(?=\s?(?:USD|EUR|GBP|dollars|euros|pounds)\b)"
SHORT = (
    r"(?:(?(money)(?P<short>k|K|mn|M|m|bn|B|tn|T|\s(?:mn|M|bn))"
    rf"|(?P<bare>k|(?:K|mn|M|m|bn|B|tn|T){COINS}))(?![\w²³^*]|/(?![a-z]{{2}})|-\d))?"
)
"""Written at once behind the last digit: 5k is 5,000. The others are units unless it is money."""

NUMBER = re.compile(
    rf"{STARTS}{MONEY}{SIGN}(?:(?P<written>{DATE}|{RATIO}|{TIME})|{RANGE}|(?P<european>{EUROPEAN})"
    rf"|{WHOLE}(?P<digits>{GROUPED}|{SPACED}|{INDIAN}|{PLAIN}){POWER}){EXPONENT}{UNDER}{SHORT}{SCALE}"
)
"""Each repeat runs over digits only or is bounded, and no two can take the same digit: linear."""

DIGIT = re.compile(r"[\d¼-¾⅐-⅞]")
BEHIND_CHARS = 40
"""What may belong to a number behind its last digit: brackets, "million"."""

BOLD = re.compile(r"\*\*\s?([^*\n]{1,60})\*\*")
BOLD_CHARS = 400
HEADING = re.compile(r"[.):]\s|[^\n]{0,60}:$")
"""What follows the number in bold when it only counts steps."""

NOT = re.compile(
    r"(?:\bnot|n['’]t|\brather than|\binstead of|\bout of)(?:\sbe)?[^\w\n]{0,4}\Z", re.IGNORECASE
)
"""What stands before a number that is not the answer, or what it is out of."""

SURE = re.compile(r"\b(?:confidence|certainty)(?:\s\w{1,10}){0,2}[^\w\n]{0,6}\Z", re.IGNORECASE)
FOR_SURE = re.compile(r"\s?%?\s?(?:sure|certain|confident|confidence|certainty)\b")
BEFORE_CHARS = 40
"""What of the words before a number is looked at."""

BRACKETED = re.compile(r"(\d%?(?:\s[A-Za-z]{1,15}){0,2})\s\([^()\n]{1,60}\)[.\s]{0,4}\Z")
"""What explains the last number of a text: "36 eggs (3 dozen)"."""

SPACED_RANGE = re.compile(
    r"(^[^\d(*/+^]{0,20}[\d.,]{1,12}%?)\s(?:-|to)\s(?=[$€£¥]?\d[\d.,%]{0,12}(?!\s?[-+*/^\d.,%]))"
)
"""A range only where a marker stands before: elsewhere "10 - 3" is a sum, and "from 2 to 5" two."""

ON_THE_HOUR = ("00", "00:00")

SCALES = {
    "hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12,
    "万": 4, "萬": 4, "亿": 8, "億": 8,
    "k": 3, "K": 3, "mn": 6, "M": 6, "m": 6, "bn": 9, "B": 9, "tn": 12, "T": 12,
}  # fmt: skip
"""Powers of ten, by what stands for them behind a number."""

GROUPING = re.compile(r"[,'’\s]")
EUROPEAN_GROUPING = re.compile(r"[.\s]")


def read_number(text: str) -> str | None:
    """Canonical number (a decimal, or p/q, without unit) of this text; None when there is none.

    "####" is GSM8K's own marker (Cobbe et al. 2021, arXiv 2110.14168); the last number as a
    fallback is the flexible filter of lm-evaluation-harness.
    """
    for part in (last_box(text), after_marker(text)):
        if part:
            found = number_first(part)
            if found is not None:
                return found
    return _last(text)


def _meant(match: re.Match[str]) -> bool:
    """Whether it is not said not to be the answer: "7, not 8"."""
    return not NOT.search(_before(match))


def _aside(match: re.Match[str]) -> bool:
    """Whether it only says how sure the voter is."""
    return bool(SURE.search(_before(match)) or FOR_SURE.match(match.string, match.end()))


def _before(match: re.Match[str]) -> str:
    """What stands before the number; a blank may be taken for a part of it."""
    start = match.end() - len(match[0].lstrip())
    return match.string[max(0, start - BEFORE_CHARS) : start]


def number_first(part: str) -> str | None:
    """The first number, or in a first line such as "204 + 330 = 534" the one that it comes to."""
    text = plain(part[:TAIL_CHARS])
    line = text.partition("\n")[0]
    if "=" not in line:
        line = SPACED_RANGE.sub(r"\1-", line)
    return (
        (_first(line.rpartition("=")[2]) if "=" in line else None)
        or _first(line)
        or spelled(line)
        or _first(text)
    )


def _first(text: str) -> str | None:
    meant = next(filter(_meant, NUMBER.finditer(text)), None)
    return _value(meant) if meant else None


def _bold(text: str) -> str | None:
    """The last number that opens something in bold, near the end: there it is the answer.

    Not one of several in a line, which are what it is computed from, nor one before a "=".
    """
    start = text.rfind("**")
    at = text.rfind("\n", 0, start) + 1 if start >= 0 else 0
    line, _, rest = text[at:].partition("\n")
    told = [span for span in map(_opening, BOLD.findall(line)) if span]
    behind = line[line.rfind("**") :] + rest
    return _value(told[0]) if len(told) == 1 and "=" not in behind else None


def _opening(span: str) -> re.Match[str] | None:
    match = NUMBER.match(plain(span).strip())
    return match if match and not HEADING.match(match.string, match.end()) else None


def _last(text: str) -> str | None:
    bold = _bold(text[-BOLD_CHARS:])
    if bold is not None:
        return bold
    if ")" in text[-5:]:
        text = BRACKETED.sub(r"\1", text)
    parts = (text[-200:], _around_last_digit(text), text)
    for part in parts:
        last = next(_from_last(part), None)
        if last and (last.start() > 0 or len(part) == len(text)):
            return _value(last)
    sure = next((m for m in reversed(list(NUMBER.finditer(plain(text)))) if _aside(m)), None)
    return spelled(text[:TAIL_CHARS]) or (_value(sure) if sure else None)


def _from_last(part: str) -> Iterator[re.Match[str]]:
    """The numbers that may be the answer, the last first."""
    found = reversed(list(NUMBER.finditer(plain(part))))
    return (match for match in found if _meant(match) and not _aside(match))


def _around_last_digit(text: str) -> str:
    """A piece of the text that ends soon after its last digit: the rest need not be searched."""
    from_end = DIGIT.search(text[::-1])
    end = len(text) - from_end.start() if from_end else 0
    return text[max(0, end - TAIL_CHARS) : end + BEHIND_CHARS]


def _time(written: str) -> str:
    """Of a time of day: 09:15 is 9:15, and 5:00 is 5. Dates and ratios stay as they are."""
    hour, _, rest = written.partition(":")
    return (
        written
        if len(rest) < 2
        else str(int(hour))
        if rest in ON_THE_HOUR
        else f"{int(hour)}:{rest}"
    )


def _scale(match: re.Match[str]) -> int:
    """The power of ten that a word or a letter behind the number stands for."""
    word = match["short"] or match["bare"] or match["myriad"] or (match["scale"] or "").lower()
    return SCALES[word.strip()] if word else 0


def _range(match: re.Match[str], ten: int) -> str:
    """Both ends, with the scale that the first has of its own or by the second."""
    low_ten = SCALES[match["lows"]] if match["lows"] and ten else ten
    low, high = _end(match["low"], low_ten), _end(match["high"], ten)
    return f"{'-' if match['sign'] else ''}{low}-{high}"


def _end(side: str, ten: int) -> str | None:
    """As a number; 08 of 2007-08 or of a telephone number stays as written."""
    if side[:1] == "0" and side[1:2].isdigit():
        return side
    digits = side.lstrip("-")
    return canonical("-" if digits != side else "", digits.replace(",", ""), exponent=ten)


def _value(match: re.Match[str]) -> str | None:
    if written := match["written"]:
        return _time(written)
    ten = int(match["exp"] or match["pow"] or 0) + _scale(match)
    if match["low"]:
        return _range(match, ten)
    if european := match["european"]:
        digits = EUROPEAN_GROUPING.sub("", european).replace(",", ".")
    else:
        digits = GROUPING.sub("", match["digits"])
    return canonical(
        match["sign"] or "",
        digits,
        match["under"] or "",
        ten,
        power=int(match["power"] or 1),
        whole=match["whole"] or "",
    )


def whole_number(text: str) -> re.Match[str] | None:
    """The number that is all of a formula; there 5k is five times k."""
    match = NUMBER.fullmatch(text)
    return match if match and not match["bare"] else None
