"""JSON that must fit a schema. The oracle is the package jsonschema."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.voting import Cast, Judgement, Outcome, Rules, Tally
from broker.voting.answers.schema import NOTES, Schema, SchemaError

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def fits(root: Any, value: Any) -> bool:
    return Schema(json.dumps(root)).allows(json.dumps(value), "json")


# -------------------------------------------------------------------- the oracle

names = st.sampled_from(["a", "b", "c/d", "e~f"])
scalars = st.sampled_from([None, True, False, 0, 1, 1.0, 2, 2.5, -3, "", "a", "ab"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
counts = st.integers(0, 3)
numbers = st.sampled_from([-3, 0, 1, 2.5])


def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    table = st.dictionaries(names, inner, max_size=3)
    keywords = {
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True),
        "enum": st.lists(values, min_size=1, max_size=3),
        "const": values,
        "required": st.lists(names, max_size=2, unique=True),
        "properties": table,
        "additionalProperties": inner,
        "items": inner,
        "anyOf": some,
        "oneOf": some,
        "allOf": some,
        "title": st.just("anything"),
        **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), counts),
        **dict.fromkeys(("minProperties", "maxProperties"), counts),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), numbers),
    }
    return st.sets(st.sampled_from(list(keywords)), max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({word: keywords[word] for word in sorted(chosen)})
    )


refs = st.sampled_from([{"$ref": "#"}, {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/c~1d"}])
parts = st.recursive(st.booleans() | refs, deeper, max_leaves=8)


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    root = draw(deeper(parts))
    return {**root, "$defs": {"a": draw(deeper(parts)), "c/d": draw(deeper(parts))}}


@given(schemas(), values)
def test_a_value_fits_when_jsonschema_says_so(root: dict[str, Any], value: Any) -> None:
    try:
        wanted = jsonschema.Draft202012Validator(root).is_valid(value)
    except RecursionError:  # a schema that refers to itself without an end
        assume(False)
    assert fits(root, value) is wanted


# -------------------------------------------------------------------- what is none


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("{", "it is no JSON"),
        ("[" * 100 + "]" * 100, "it is no JSON"),
        ("3", "# is neither an object nor true or false"),
        ('{"requird": ["a"]}', "'requird' cannot be checked here; known are $defs"),
        ('{"items": {"pattern": "(a+)+$"}}', "#/items: 'pattern' cannot be checked here"),
        ('{"type": "int"}', "#/type is not one or some of null, boolean, integer"),
        ('{"properties": {"a/b": {"minimum": "1"}}}', "#/properties/a~1b/minimum is not a number"),
        ('{"anyOf": []}', "#/anyOf is not a list of schemas"),
        ('{"anyOf": [3]}', "#/anyOf/0 is neither"),
        ('{"maxItems": -1}', "#/maxItems is not a whole number from 0"),
        ('{"$ref": "#/$defs/a"}', "$ref '#/$defs/a' is no schema in this one"),
        ('{"$ref": "https://example.org/s.json"}', "is no schema in this one"),
        ('{"$ref": "#/enum/0", "enum": [{}]}', "is no schema in this one"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_its_place(text: str, seen: str) -> None:
    with pytest.raises(SchemaError) as refused:
        Schema(text)
    assert seen in str(refused.value)


def test_what_only_describes_is_taken_and_asks_nothing() -> None:
    assert fits({**dict.fromkeys(NOTES, "a note"), "x-order": 3}, [1])


HOSTILE = {
    "itself": ({"$ref": "#"}, 1),
    "each twice": (
        {"$ref": "#/$defs/n0"}
        | {
            "$defs": {
                f"n{i}": {"allOf": [{"$ref": f"#/$defs/n{i + 1}"}, {"$ref": f"#/$defs/n{i + 1}"}]}
                for i in range(40)
            }
            | {"n40": True}
        },
        1,
    ),
    "many enums of a long list": (
        {"anyOf": [{"enum": [i]} for i in range(1500)]},
        list(range(3000)),
    ),
    "many names for many objects": (
        {"items": {"required": ["a"], "properties": {f"n{i}": True for i in range(1500)}}},
        [{"a": 1}] * 3000,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_schema_that_would_take_for_ever_fits_nothing(name: str) -> None:
    root, value = HOSTILE[name]
    assert not fits(root, value)


# -------------------------------------------------------------------- counting


def judged(root: Any, *texts: str, answer: str = "auto") -> Judgement:
    rules = Rules(len(texts), answer=answer, schema=json.dumps(root), tie_seats=0)
    tally = Tally(rules)
    for seat, text in enumerate(texts):
        tally.cast(Cast(seat, text, "stop"))
    return tally.judge()


def test_a_vote_that_does_not_fit_abstains() -> None:
    bad = '{"name": "Ada", "age": "36"}'
    found = judged(PERSON, bad, bad, 'Here: {"age": 36.0, "name": "Ada"}')
    assert (found.answer, found.cast, found.answer_type) == ('{"age":36,"name":"Ada"}', 1, "json")


def test_fields_are_put_together_only_to_what_fits() -> None:
    either = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    found = judged(either, '{"a": 1, "c": 1}', '{"b": 1, "c": 1}')
    assert (found.outcome, found.reason) == (Outcome.TIED, "no two votes agree")
    assert judged({}, '{"a": 1, "c": 1}', '{"b": 1, "c": 1}').answer == '{"a":1,"b":1,"c":1}'


@pytest.mark.parametrize(
    ("root", "texts", "kind", "answer"),
    [
        ({"type": "integer"}, ["so #### 42", "it is 42.5", "**42**"], "number", "42"),
        ({"type": "number", "maximum": 50}, ["#### 1,000", "12.5 kg"], "number", "12.5"),
        ({"enum": ["red", "dark blue"]}, ["It is dark blue.", "green"], "choice", "dark blue"),
        ({"type": "boolean"}, ["true", "The answer is true.", "false"], "choice", "true"),
        ({"type": "string", "maxLength": 5}, ["Paris.", "Vladivostok"], "label", "paris"),
        ({"type": ["integer", "null"]}, ["null", "null", "3"], "json", "null"),
    ],
)
def test_auto_takes_the_type_that_the_schema_has(
    root: Any, texts: list[str], kind: str, answer: str
) -> None:
    found = judged(root, *texts)
    assert (found.answer_type, found.answer) == (kind, answer)


def test_json_asked_for_by_name_stays_json() -> None:
    found = judged({"type": "integer"}, "42", "42", "#### 42", answer="json")
    assert (found.answer_type, found.cast) == ("json", 2)
