"""Answers that are calls of tools: names and arguments, however they are wrapped."""

import ast
import re

from broker.voting.answers.jsontext import dump, find_json, parse
from broker.voting.answers.literal import tree

NAMES = ("name", "function", "tool", "tool_name", "action")
ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input", "action_input")
WRAPPERS = ("function", "function_call", "tool_calls", "tool_call")

TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
NAMED = re.compile(
    r"<function=([\w.-]{1,100})>|\[TOOL_CALLS\]\s?([\w.-]{1,100})\[ARGS\]"
    r"|\bAction:\s{0,4}([\w.-]{1,100})\s{1,4}Action Input:"
    r"|✿FUNCTION✿:\s?([\w.-]{1,100})\s{1,4}✿ARGS✿:"
    r"|\bfunctions\.([\w.-]{1,100}):\d{1,4}\s?<\|tool_call_argument_begin\|>"
    r"|\bto=functions\.([\w.-]{1,100})[^{\n]{0,80}<\|message\|>"
    r"|<｜tool▁sep｜>([\w.-]{1,100})\s|<｜tool▁call▁begin｜>(?!function<)([\w.-]{1,100})<｜tool▁sep｜>"
    r'|<invoke name="([\w.-]{1,100})">|^\s{0,4}([\w.-]{1,100})\s{0,4}(?=<arg_key>)'
)
"""A name outside of the JSON of its arguments: Llama and Qwen-Coder, Mistral, ReAct, Qwen, Kimi,
gpt-oss, DeepSeek (old and new), Claude and MiniMax, GLM."""

PARAMETER = re.compile(
    r"<(?:parameter(?:=| name=\")|arg_key>)([\w.-]{1,100})"
    r"(?:\"?>|</arg_key>\s{0,4}<arg_value>)([^<]*)"
)
PYTHON_TAG = "<|python_tag|>"
PYTHONIC = re.compile(r"\[?([A-Za-z_][\w.]{0,100})\(")

CALLS_MAX = 16
"""Calls of one answer; the rest is not read."""

Call = dict[str, object]


def read_tool(text: str) -> str | None:
    """Canonical {"arguments": {...}, "name": "..."} of the call in this text; None: there is none.

    Several calls are a list of these. Knows the wrappings of OpenAI (function.arguments as a
    string), Hermes (<tool_call>), Llama (parameters, <function=…>), Mistral, ReAct, and calls in
    Python with named arguments.
    """
    calls = _tagged(text) or _named(text) or _json(text) or _pythonic(text)
    if not calls:
        return None
    return dump(calls[0] if len(calls) == 1 else calls)


def _tagged(text: str) -> list[Call]:
    found = [_named(inner) or _json(inner) for inner in TAGGED.findall(text)[:CALLS_MAX]]
    return [call for calls in found for call in calls]


def _named(text: str) -> list[Call]:
    """Each name with the arguments that follow it."""
    names = list(NAMED.finditer(text))[:CALLS_MAX]
    ends = [*(match.start() for match in names[1:]), len(text)]
    return [
        {"arguments": _arguments(text[match.end() : end]), "name": match[match.lastindex or 0]}
        for match, end in zip(names, ends, strict=False)
    ]


def _arguments(text: str) -> object:
    told = {name: _value(value.strip()) for name, value in PARAMETER.findall(text)}
    found = None if told else find_json(text)
    return found[0] if found else told


def _value(text: str) -> object:
    found = parse(text)
    return found[0] if found else text


def _json(text: str) -> list[Call]:
    found = find_json(text)
    return _calls(found[0]) if found else []


def _calls(value: object) -> list[Call]:
    values = value[:CALLS_MAX] if isinstance(value, list) else [value]
    calls = [_call(one) for one in values]
    if len(values) == 1 and calls == [None] and isinstance(values[0], dict):
        inner = [values[0][key] for key in WRAPPERS if isinstance(values[0].get(key), dict | list)]
        return _calls(inner[0]) if inner else []
    return [call for call in calls if call] if all(calls) else []


def _call(value: object) -> Call | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = next((value[key] for key in NAMES if isinstance(value.get(key), str)), None)
    if not name:
        return _keyed(value)
    arguments: object = next((value[key] for key in ARGUMENTS if key in value), {})
    if isinstance(arguments, str):
        parsed = parse(arguments)
        arguments = parsed[0] if parsed else arguments
    return {"arguments": arguments, "name": name}


def _keyed(value: Call) -> Call | None:
    """{"weather": {"city": "Paris"}}: the one key is the name."""
    for name, arguments in value.items() if len(value) == 1 else ():
        if isinstance(arguments, dict) and name not in (*ARGUMENTS, *WRAPPERS):
            return {"arguments": arguments, "name": name}
    return None


def _pythonic(text: str) -> list[Call]:
    """Calls such as [weather(city="Paris")], all of the text or its last fence."""
    blocks = [block.partition("\n")[2] for block in text.split("```")[1::2][-1:]]
    for block in [*blocks, text]:
        bare = block.strip().removeprefix(PYTHON_TAG).strip("`").strip()
        if PYTHONIC.match(bare):
            calls = _python_calls(bare)
            if calls:
                return calls
    return []


def _python_calls(text: str) -> list[Call]:
    node = tree(text)
    nodes = node.elts[:CALLS_MAX] if isinstance(node, ast.List) else [node]
    calls = [_python_call(one) for one in nodes]
    return [call for call in calls if call] if all(calls) else []


def _python_call(node: ast.expr | None) -> Call | None:
    if not isinstance(node, ast.Call) or node.args:
        return None
    try:
        told = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
        name = ast.unparse(node.func)
        dump(told)
    except (ValueError, TypeError):
        return None
    return {"arguments": told, "name": name}
