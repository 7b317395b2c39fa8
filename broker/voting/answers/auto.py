"""Which answer type a job has: from its choices, its schema, its prompt, and the votes."""

import re

from broker.voting.answers.extraction import LOOKED_AT, TEXT_CHARS_MAX, extract
from broker.voting.answers.jsontext import fenced, find_json
from broker.voting.answers.label import LABEL_CHARS_MAX
from broker.voting.answers.marked import after_marker, last_box
from broker.voting.answers.number import NUMBER, whole_number
from broker.voting.answers.schema import Schema
from broker.voting.answers.thought import without_thought
from broker.voting.rules import Rules

PROMPT_CHARS = 4000
"""What of a prompt is looked at: its end, where the question stands."""

VOTES_SEEN = 3
"""Votes that decide on the type where the prompt does not say; also never more than half of the
seats, so that nothing is decided before the type is."""

SENTENCE_WORDS = 5
"""With a full stop, so many words are prose: labels that all differ would be no verdict."""

JSON_ASKED = re.compile(
    r"\b(?:as|in|to|with|return|reply|respond|output|produce|give|write|generate|create|"
    r"valid|only|an?)\s(?:\w{1,20}\s){0,3}json\b|\bjson\b\s{0,3}(?:object|array|format|only|schema|with\b|:)",
    re.IGNORECASE,
)
LANGUAGES = r"python|javascript|typescript|java|rust|golang|ruby|c\+\+|c#"
CODE_ASKED = re.compile(
    r"\b(?:write|implement|complete|fix|refactor)\b"
    r"(?:(?!\b(?:about|poem|story|essay|letter|sentence)\b)[^.?!\n]){0,60}"
    r"(?:\b(?:function|code|program|script|method|class(?! schedule))\b"
    rf"|\bin (?:{LANGUAGES})(?!\w))"
    r"|^[ \t]{0,80}def \w{1,80}\([^\n]{0,400}:[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
QUANTITIES = (
    "age|amount|area|cost|count|distance|height|length|mean|median|number|percent|percentage|"
    "perimeter|price|profit|salary|score|speed|sum|total"
)
VAGUE = "average|change|difference|product|rate|time|value|volume|weight"
"""These are asked for in words too ("the value of friendship"): only with a digit in the prompt."""

HOW = (
    r"(?:\?\s[^?\n]{0,20}\b(?:step by step|show|think|answer (?:briefly|only|with)|reply|explain|"
    r"reason)\b[^?\n]{0,60})"
)
"""A sentence behind the question that says how to answer it."""

ENDS = rf"\b[^.?!\n]{{0,120}}(?:{HOW}|[.?])?\s*$"
SUM = (
    r"\bwhat(?:['’]s| is)\s[$(-]{0,2}\d[\d.,]{0,20}\)?\s?(?:%|percent|plus|minus|times|divided|"
    r"multiplied|squared|cubed|to the power|[-+*/×÷^x]\s?\d)"
)
"""As in "What is 15% of 80?"."""

WHAT = r"\b(?:what|find)\b[^.?!\n]{0,60}\b"
NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|old|far|long|tall|fast|big|heavy)\b"
    rf"|{WHAT}(?:{QUANTITIES}){ENDS}|{SUM}"
    r"|\bcalculate\b|\bcompute (?:the|what|how|its|\W)|\bevaluate\b(?=[^.?!\n]{0,80}[\d$\\])|####",
    re.IGNORECASE,
)
VAGUELY_ASKED = re.compile(rf"{WHAT}(?:{VAGUE}){ENDS}|\bcompute\b", re.IGNORECASE)
DIGIT = re.compile(r"\d")
ABOUT_TEXT = re.compile(r"\s{0,20}(?:translate|summari[sz]e|rewrite|paraphrase)\b", re.IGNORECASE)
OPTIONS = re.compile(r"(?:^|\s)\(?([A-F])[).:]\s*\S")
BOX_ASKED = "\\boxed"


def of_prompt(prompt: str) -> str | None:
    """Answer type that the prompt asks for; None when it does not say."""
    end = prompt[-PROMPT_CHARS:]
    letters = OPTIONS.findall(end)
    if "A" in letters and "B" in letters and letters.index("A") < letters.index("B"):
        return "choice"
    if JSON_ASKED.search(end):
        return "json"
    if CODE_ASKED.search(end):
        return "code"
    if BOX_ASKED in end:
        return "latex"
    if _number_asked(end) and not ABOUT_TEXT.match(prompt):
        return "number"
    return None


def _number_asked(end: str) -> bool:
    vague = DIGIT.search(end) and VAGUELY_ASKED.search(end)
    return bool(NUMBER_ASKED.search(end) or vague)


def of_vote(text: str) -> str:
    """Answer type that a vote's text looks like; "text" when nothing marks an answer."""
    text = text[-LOOKED_AT["json"] :].strip()
    box = last_box(text)
    if box is not None:
        return "number" if whole_number(box) else "latex"
    if "```" in text:
        return "json" if fenced(text) else "code"
    if text[:1] in "{[" and find_json(text):
        return "json"
    if NUMBER.fullmatch(text) or NUMBER.match((after_marker(text) or "")[:LABEL_CHARS_MAX]):
        return "number"
    short = len(text) <= LABEL_CHARS_MAX // 4 and "\n" not in text
    return "label" if short and not _is_sentence(text) else "text"


def _is_sentence(text: str) -> bool:
    return text.endswith((".", "!", "?")) and len(text.split()) >= SENTENCE_WORDS


class TypeFinder:
    """The answer type of one job, final after a few votes."""

    __slots__ = ("_found", "_prompt", "_schema", "_votes", "_wanted", "choices")

    def __init__(self, rules: Rules) -> None:
        self.choices = rules.choices
        self._schema = Schema(rules.schema) if rules.schema else None
        self._votes: list[str] | None = None  # types of the first votes, while it is open
        self._wanted = min(VOTES_SEEN, (rules.seats + 1) // 2)
        self._prompt = rules.prompt
        self._found = "choice" if rules.choices else rules.answer
        if self._schema is not None and self._found == "auto":
            self._found, self.choices = self._schema.answer_type, self._schema.choices

    @property
    def found(self) -> str:
        """The type as far as it is known.

        The prompt is looked at when this is first asked for: most of a millisecond for a long one,
        which neither accepting a job nor taking up thousands after a restart should cost.
        """
        if self._found == "auto":
            asked = of_prompt(self._prompt) if self._prompt else None
            self._found = asked or "text"
            self._votes = None if asked else []
        return self._found

    def look(self, text: str) -> bool:
        """Learn from one more vote; True when those before were read as another type."""
        before = self.found
        if self._votes is None:
            return False
        rest = without_thought(text[-TEXT_CHARS_MAX:])
        if rest is None:
            return False
        self._votes.append(of_vote(rest))
        self._found = max(self._votes, key=self._backing)
        if len(self._votes) >= self._wanted:
            self._votes = None
        return self._found != before

    def read(self, text: str) -> str | None:
        """Canonical answer in a vote's text; None: it has none, or none that fits the schema."""
        answer = extract(text, self.found, self.choices)
        return answer if answer is not None and self.allows(answer) else None

    def allows(self, answer: str) -> bool:
        """Whether this canonical answer fits the schema, where there is one."""
        return self._schema is None or self._schema.allows(answer, self.found)

    def _backing(self, kind: str) -> float:
        """Votes of this type; one without any mark of an answer counts half."""
        assert self._votes is not None
        return self._votes.count(kind) * (0.5 if kind == "text" else 1.0)
