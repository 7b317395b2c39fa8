"""Which JSON may be an answer: the part of JSON Schema that structured outputs are written in.

Source: JSON Schema draft 2020-12, core section 8 and 10, validation section 6 (json-schema.org).
Patterns are left out, since a pattern of somebody else may take for ever; what cannot be checked is
refused by name and never ignored.
"""

from collections.abc import Callable, Iterator
from typing import Any

from broker.voting.answers.jsontext import dump, parse

STEPS_MAX = 50_000
"""Parts of schemas against parts of one value: some 30 ms, whatever refers to what."""

CHOICES_MAX = 64
"""Texts that are read as choices, each looked for in every vote; more are compared as labels."""

HOPS_MAX = 128
"""Schemas within schemas on the way to one part, `$ref` to `$ref` too."""

TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": lambda value: _is_number(value),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

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
        if answer_type == "label":
            return self.fits(answer)
        found = parse(answer)
        return found is not None and self.fits(found[0])

    def fits(self, value: Any) -> bool:
        """Whether this JSON value is an answer. False too when that takes over STEPS_MAX."""
        try:
            return _Walk(self._named).fits(self._root, value, 0)
        except _TooLong:
            return False


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


# -------------------------------------------------------------------- reading a schema


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in TYPES for name in names)


_SCHEMA = (lambda value: isinstance(value, bool | dict), "a schema")
_SCHEMAS = (lambda value: isinstance(value, dict), "an object of schemas")
_SOME = (lambda value: isinstance(value, list) and bool(value), "a list of schemas")
_COUNT = (_is_count, "a whole number from 0")
_NUMBER = (_is_number, "a number")

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


# -------------------------------------------------------------------- trying a value


class _TooLong(Exception):
    """More steps than a value may take."""


class _Walk:
    """One value against one schema."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._left = STEPS_MAX

    def fits(self, schema: Any, value: Any, hops: int) -> bool:
        if isinstance(schema, bool):
            return schema
        self._spend(1 + len(value) if isinstance(value, list | dict | str) else 1)
        if hops > HOPS_MAX:
            raise _TooLong
        for keyword, argument in schema.items():
            if keyword in SIMPLE:
                if not SIMPLE[keyword](argument, value):
                    return False
            elif keyword in NESTED and not NESTED[keyword](self, schema, value, hops + 1):
                return False
        return True

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooLong

    def among(self, schema: Any, value: Any, hops: int) -> bool:
        written = dump(value)
        self._spend(len(written) // 8)
        return all(written in schema[keyword] for keyword in ("enum", "const") if keyword in schema)

    def required(self, schema: Any, value: Any, hops: int) -> bool:
        self._spend(len(schema["required"]))
        return not isinstance(value, dict) or all(name in value for name in schema["required"])

    def refer(self, schema: Any, value: Any, hops: int) -> bool:
        return self.fits(self._named[schema["$ref"]], value, hops)

    def any_of(self, schema: Any, value: Any, hops: int) -> bool:
        return any(self.fits(part, value, hops) for part in schema["anyOf"])

    def one_of(self, schema: Any, value: Any, hops: int) -> bool:
        return sum(self.fits(part, value, hops) for part in schema["oneOf"]) == 1

    def all_of(self, schema: Any, value: Any, hops: int) -> bool:
        return all(self.fits(part, value, hops) for part in schema["allOf"])

    def items(self, schema: Any, value: Any, hops: int) -> bool:
        return not isinstance(value, list) or all(
            self.fits(schema["items"], item, hops) for item in value
        )

    def properties(self, schema: Any, value: Any, hops: int) -> bool:
        self._spend(len(schema["properties"]))
        return not isinstance(value, dict) or all(
            self.fits(part, value[name], hops)
            for name, part in schema["properties"].items()
            if name in value
        )

    def additional(self, schema: Any, value: Any, hops: int) -> bool:
        named = schema.get("properties", {})
        return not isinstance(value, dict) or all(
            self.fits(schema["additionalProperties"], item, hops)
            for name, item in value.items()
            if name not in named
        )


NESTED: dict[str, Callable[[_Walk, Any, Any, int], bool]] = {
    "$ref": _Walk.refer,
    "enum": _Walk.among,
    "const": _Walk.among,
    "required": _Walk.required,
    "anyOf": _Walk.any_of,
    "oneOf": _Walk.one_of,
    "allOf": _Walk.all_of,
    "items": _Walk.items,
    "properties": _Walk.properties,
    "additionalProperties": _Walk.additional,
}


def _is_of_type(wanted: Any, value: Any) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    return any(TYPES[name](value) for name in names)


SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is_of_type,
    "minProperties": lambda count, v: not isinstance(v, dict) or len(v) >= count,
    "maxProperties": lambda count, v: not isinstance(v, dict) or len(v) <= count,
    "minItems": lambda count, v: not isinstance(v, list) or len(v) >= count,
    "maxItems": lambda count, v: not isinstance(v, list) or len(v) <= count,
    "minLength": lambda count, v: not isinstance(v, str) or len(v) >= count,
    "maxLength": lambda count, v: not isinstance(v, str) or len(v) <= count,
    "minimum": lambda bound, v: not _is_number(v) or v >= bound,
    "maximum": lambda bound, v: not _is_number(v) or v <= bound,
    "exclusiveMinimum": lambda bound, v: not _is_number(v) or v > bound,
    "exclusiveMaximum": lambda bound, v: not _is_number(v) or v < bound,
}
