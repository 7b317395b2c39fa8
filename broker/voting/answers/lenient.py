"""JSON as models write it: with comments, commas at the end, single quotes, Python's constants."""

import json
import re

FENCES_MAX = 3
"""Fenced blocks that are mended, the last."""

ODD = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?'
    r"|(?<=[\[{:,\s])'(?P<single>(?:[^'\\\n]++|\\.)*+)'"
    r"|(?P<comment>//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?)"
    r"|\b(?P<constant>True|False|None)\b",
    re.DOTALL,
)
"""Strings that are left alone, and what is mended; possessive: linear."""

LAST_COMMA = re.compile(r'"(?:[^"\\]++|\\.)*+"?|(?P<comma>,)(?=\s*+[}\]])', re.DOTALL)
CONSTANTS = {"True": "true", "False": "false", "None": "null"}


def mended(text: str) -> list[str]:
    """What may be JSON in this text and needs mending: in the last fenced blocks, then in all."""
    blocks = text.split("```")[1::2][-FENCES_MAX:][::-1] if "```" in text else []
    regions = [_region(block) for block in [*blocks, text]]
    found = [LAST_COMMA.sub(_uncomma, ODD.sub(_mend, region)) for region in regions]
    return [new for new, old in zip(found, regions, strict=True) if new != old]


def _region(text: str) -> str:
    """From the first bracket to the last."""
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=len(text))
    return text[start : max(text.rfind("}"), text.rfind("]")) + 1]


def _mend(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return json.dumps(match["single"].replace("\\'", "'"))
    if match["comment"] is not None:
        return " "
    return CONSTANTS.get(match[0], match[0])


def _uncomma(match: re.Match[str]) -> str:
    return "" if match["comma"] else match[0]
