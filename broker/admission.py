"""What is refused before it becomes a job: each refusal says what was seen and what to do next."""

from operator import attrgetter

from broker.voting import ANSWER_TYPES, STOP_MODES
from broker.voting.answers.schema import Schema, SchemaError
from protocol import limits
from protocol import messages as m
from protocol.errors import Code, Problem


def problem_of(submit: m.Submit) -> Problem | None:
    """The first thing wrong with a job, or None."""
    return _texts(submit) or _numbers(submit) or _answers(submit)


def chars_of(s: m.Submit) -> int:
    """Characters of all its texts: about the memory that it takes."""
    size = len(s.prompt) + len(s.system) + len(s.schema)
    return size + sum(map(len, _small(s))) if s.choices or s.stop_strings else size


def _small(s: m.Submit) -> tuple[str, ...]:
    """The texts that are short, unless somebody means no good."""
    return (*s.choices, *s.stop_strings)


def _texts(s: m.Submit) -> Problem | None:
    if not s.job or len(s.job) > limits.NAME_CHARS_MAX:
        return _invalid(f"a job id of {len(s.job)} characters", "use a UUID")
    if not s.prompt or s.prompt.isspace():
        return _invalid("an empty prompt", "give a question: swarmctl submit 'What is 6 times 7?'")
    size = chars_of(s)
    if size * 4 > limits.PROMPT_BYTES_MAX:  # only then is it worth counting exactly
        size = sum(len(text.encode()) for text in (s.prompt, s.system, *_small(s)))
        if size > limits.PROMPT_BYTES_MAX:
            return Problem(
                Code.TOO_LARGE,
                f"a prompt of {size} bytes",
                f"the limit is {limits.PROMPT_BYTES_MAX}",
                "shorten it, or split it into several questions",
            )
    if len(s.model) > limits.NAME_CHARS_MAX:
        return _invalid(f"a model name of {len(s.model)} characters", "see `swarmctl workers`")
    if len(s.stop_strings) > limits.STOP_STRINGS_MAX or not all(s.stop_strings):
        return _invalid(
            f"{len(s.stop_strings)} stop strings",
            f"give 1 to {limits.STOP_STRINGS_MAX}, none empty",
        )
    return None


_BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("votes", 1, limits.SEATS_MAX),
    ("temperature", 0, limits.TEMPERATURE_MAX),
    ("max_tokens", 1, limits.MAX_TOKENS_MAX),
    ("seed", 0, limits.SEED_MAX),
    ("min_agreement", 0, 1),
)
_bounded = attrgetter(*(name for name, _, _ in _BOUNDS))  # all of them in one call


def _numbers(s: m.Submit) -> Problem | None:
    for (name, low, high), value in zip(_BOUNDS, _bounded(s), strict=True):
        if value is not None and not low <= value <= high:  # NaN is within no bounds
            return _invalid(f"--{name.replace('_', '-')} {value}", f"give {low} to {high}")
    if not 0 < s.timeout_s <= limits.TIMEOUT_S_MAX:
        return _invalid(
            f"--timeout {s.timeout_s:g} s", f"give more than 0, up to {limits.TIMEOUT_S_MAX:g} s"
        )
    return None


def _answers(s: m.Submit) -> Problem | None:
    if s.answer not in ANSWER_TYPES:
        return _invalid(f"--answer {s.answer!r}", f"one of {', '.join(ANSWER_TYPES)}")
    if s.stop not in STOP_MODES:
        return _invalid(f"--stop {s.stop!r}", f"one of {', '.join(STOP_MODES)}")
    if s.checked and s.min_agreement > 0:
        return _invalid("--check with --min-agreement", "the check decides: leave one of them out")
    return _choices(s) if s.choices else _schema(s) if s.schema else None


def _choices(s: m.Submit) -> Problem | None:
    if s.schema:
        return _invalid("--choices with --schema", "a schema with an enum has choices of its own")
    if s.answer not in ("auto", "choice"):
        return _invalid(f"--choices with --answer {s.answer}", "choices go with --answer choice")
    if len(s.choices) > limits.CHOICES_MAX or not all(choice.strip() for choice in s.choices):
        return _invalid(
            f"{len(s.choices)} choices", f"give 2 to {limits.CHOICES_MAX}, none of them empty"
        )
    if len({choice.strip().casefold() for choice in s.choices}) < len(s.choices):
        return _invalid(f"--choices {','.join(s.choices)[:80]}", "each choice may stand once")
    return None


def _schema(s: m.Submit) -> Problem | None:
    if s.answer not in ("auto", "json"):
        return _invalid(f"--schema with --answer {s.answer}", "a schema goes with --answer json")
    size = len(s.schema.encode())
    if size > limits.SCHEMA_BYTES_MAX:
        return _invalid(f"a schema of {size} bytes", f"the limit is {limits.SCHEMA_BYTES_MAX}")
    try:
        Schema(s.schema)
    except SchemaError as error:
        return Problem(Code.INVALID, "the schema cannot be used", str(error), "mend it there")
    return None


def _invalid(seen: str, allowed: str) -> Problem:
    return Problem(Code.INVALID, seen, "", allowed)
