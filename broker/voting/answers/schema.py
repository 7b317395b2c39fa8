"""Which JSON may be an answer: the part of JSON Schema that structured outputs are written in.

Source: JSON Schema draft 2020-12, core section 8 and 10, validation section 6 (json-schema.org).
Patterns are left out, since a pattern of somebody else may take for ever; what cannot be checked is
refused by name and never ignored.
"""

from collections.abc import Callable, Iterator
from typing import Any

from broker.voting.answers.fitting import TYPES, fits, is_number
from broker.voting.answers.jsontext import dump, parse

CHOICES_MAX = 64
"""Texts that are read as choices, each looked for in every vote; more are compared as labels."""

NOTES = frozenset({
    "$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "format",
    "readOnly", "title", "writeOnly",
})  # fmt: skip
"""Keywords that say something and ask nothing."""


class SchemaError(ValueError):
    """What is wrong with a schema, and where in it."""


class Schema:
    """What an answer must look like. Raises SchemaError for what is none, or cannot be checked."""

    __slots__ = ("_named", "_root", "answer_type", "choices")

    def __init__(self, text: str) -> None:
        found = parse(text)
        if found is None:
            raise SchemaError("it is no JSON")
        self._root = found[0]
        self._named: dict[str, Any] = dict(_parts(self._root, "#"))
        for where, part in self._named.items():
            if isinstance(part, dict) and part.get("$ref", "#") not in self._named:
                raise SchemaError(f"{where}: $ref {part['$ref']!r} is no schema in this one")
        self.choices = _choices(self._root)
        """The answers allowed, when they are texts, or yes and no; else none."""
        self.answer_type = "choice" if self.choices else _kind(self._root)
        """What its answers are counted as: objects and lists as JSON, the rest by their kind."""
        for part in self._named.values():
            _prepare(part)

    def allows(self, answer: str, answer_type: str) -> bool:
        """Whether this canonical answer of that type fits."""
        if answer_type == "choice":
            return True  # nothing else is read from a text
        found = (answer,) if answer_type == "label" else parse(answer)
        return found is not None and fits(self._root, self._named, found[0])


def _kind(root: Any) -> str:
    kind = root.get("type") if isinstance(root, dict) else None
    return {"integer": "number", "number": "number", "string": "label"}.get(str(kind), "json")


def _choices(root: Any) -> tuple[str, ...]:
    if not isinstance(root, dict):
        return ()
    if root.get("type") == "boolean" and "enum" not in root:
        return ("true", "false")
    every = root.get("enum", [])
    texts = tuple(one for one in every if isinstance(one, str) and one.strip())
    alike = {text.strip().casefold() for text in texts}
    return texts if CHOICES_MAX >= len(alike) == len(every) > 1 else ()


def _prepare(part: Any) -> None:
    """Make values comparable as JSON has it: true is not 1, and 1.0 is (core, section 4.2.2)."""
    if not isinstance(part, dict):
        return
    if "enum" in part:
        part["enum"] = frozenset(map(dump, part["enum"]))
    if "const" in part:
        part["const"] = frozenset([dump(part["const"])])


def _parts(schema: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The schema and all within it, by their JSON pointers; raises SchemaError."""
    yield where, schema
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise SchemaError(f"{where} is neither an object nor true or false")
    for keyword, argument in schema.items():
        if keyword in NOTES or keyword.startswith("x-"):
            continue
        wanted = WANTED.get(keyword)
        if wanted is None:
            known = ", ".join(sorted(WANTED))
            raise SchemaError(f"{where}: {keyword!r} cannot be checked here; known are {known}")
        is_right, what = wanted
        if not is_right(argument):
            raise SchemaError(f"{where}/{keyword} is not {what}")
        yield from _within(keyword, argument, f"{where}/{keyword}")


def _within(keyword: str, argument: Any, where: str) -> Iterator[tuple[str, Any]]:
    if keyword in ("properties", "$defs", "definitions"):
        for name, part in argument.items():
            yield from _parts(part, f"{where}/{name.replace('~', '~0').replace('/', '~1')}")
    elif keyword in ("anyOf", "oneOf", "allOf"):
        for number, part in enumerate(argument):
            yield from _parts(part, f"{where}/{number}")
    elif keyword in ("items", "additionalProperties"):
        yield from _parts(argument, where)


def _is_count(value: Any) -> bool:
    return is_number(value) and value >= 0 and value == int(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in TYPES for name in names)


_SCHEMA = (lambda value: isinstance(value, bool | dict), "a schema")
_SCHEMAS = (lambda value: isinstance(value, dict), "an object of schemas")
_SOME = (lambda value: isinstance(value, list) and bool(value), "a list of schemas")
_COUNT = (_is_count, "a whole number from 0")
_NUMBER = (is_number, "a number")

WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "$ref": (lambda value: isinstance(value, str), "a text like #/$defs/name"),
    "type": (_is_type, f"one or some of {', '.join(TYPES)}"),
    "enum": (lambda value: isinstance(value, list) and bool(value), "a list of values"),
    "const": (lambda value: True, "a value"),
    "required": (_are_names, "a list of names"),
    **dict.fromkeys(("properties", "$defs", "definitions"), _SCHEMAS),
    **dict.fromkeys(("anyOf", "oneOf", "allOf"), _SOME),
    **dict.fromkeys(("items", "additionalProperties"), _SCHEMA),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
}
"""The keywords that are checked, and what each takes."""
