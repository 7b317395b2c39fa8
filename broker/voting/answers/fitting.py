"""Whether a JSON value fits a schema that was read before (`schema`): in bounded steps.

Source: JSON Schema draft 2020-12, core section 10, validation section 6 (json-schema.org).
"""

from collections.abc import Callable, Mapping
from typing import Any

from broker.voting.answers.jsontext import dump

STEPS_MAX = 50_000
"""Parts of schemas against parts of one value: some 30 ms, whatever refers to what."""

HOPS_MAX = 128
"""Schemas within schemas on the way to one part, `$ref` to `$ref` too."""

TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_number(value) and value == int(value),
    "number": lambda value: is_number(value),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def is_number(value: Any) -> bool:
    """Whether JSON has it as a number: true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def fits(root: Any, named: Mapping[str, Any], value: Any) -> bool:
    """Whether the value fits `root`; `named` are its parts by JSON pointer. False too when that
    takes over STEPS_MAX or HOPS_MAX.
    """
    try:
        return _Walk(named).fits(root, value, 0)
    except _TooLong:
        return False


class _TooLong(Exception):
    """More steps than a value may take."""


class _Walk:
    """One value against one schema."""

    def __init__(self, named: Mapping[str, Any]) -> None:
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
    "minimum": lambda bound, v: not is_number(v) or v >= bound,
    "maximum": lambda bound, v: not is_number(v) or v <= bound,
    "exclusiveMinimum": lambda bound, v: not is_number(v) or v > bound,
    "exclusiveMaximum": lambda bound, v: not is_number(v) or v < bound,
}
