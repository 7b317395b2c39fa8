"""Answers that are a call of a tool: its name and its arguments, however they are wrapped."""

from broker.voting.answers.jsontext import dump, find_json, parse

NAMES = ("name", "function", "tool", "tool_name")
ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input")


def read_tool(text: str) -> str | None:
    """Canonical {"arguments": {...}, "name": "..."} of the call in this text; None: there is none.

    Knows the wrappings of OpenAI (function.arguments as a string), Hermes (<tool_call>) and Llama
    (parameters).
    """
    start, end = text.rfind("<tool_call>"), text.rfind("</tool_call>")
    found = find_json(text[start + len("<tool_call>") : end] if 0 <= start < end else text)
    if found is None:
        return None
    value = found[0]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return _call(value)


def _call(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = next((value[key] for key in NAMES if isinstance(value.get(key), str)), None)
    if not name:
        return None
    arguments: object = next((value[key] for key in ARGUMENTS if key in value), {})
    if isinstance(arguments, str):
        parsed = parse(arguments)
        arguments = parsed[0] if parsed else arguments
    return dump({"arguments": arguments, "name": name})
