"""Which function programs are compared by, and on which calls of it. Pure."""

import ast
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from broker.voting.behaviour import CALLS_MAX, calls, examples

SOURCE_CHARS_MAX = 1 << 16
"""Of a program that is parsed; a longer one is no answer to a question."""

VALUES = {
    "whole numbers": ("0", "1", "2", "7", "-3", "10"),
    "texts": ("''", "'a'", "'abc'", "'level'", "'Hello World'"),
    "lists": ("[]", "[1]", "[3, 1, 2]", "[1, 2, 2, -5]", "['b', 'a']"),
}
"""Arguments for a function of which nobody wrote a call. Those of a wrong type raise in every
program alike, and part nothing."""


class Plan(msgspec.Struct, frozen=True):
    """What the programs are run on."""

    function: str
    calls: tuple[str, ...]
    wanted: dict[str, str] = {}  # what the prompt says some of them give, as `repr`
    made_up: bool = False  # nobody wrote a call: the arguments are ours


def plan(prompt: str, sources: Sequence[str], texts: Sequence[str]) -> Plan | None:
    """The function that most programs define, of equals one that the prompt names, and its calls.

    `texts`: all that was answered; models write tests beside their programs. None when no program
    defines a function.
    """
    defined = [_functions(source) for source in sources]
    count = Counter(name for names in defined for name in names)
    if not count:
        return None
    name = max(count, key=lambda function: (function in prompt, count[function]))
    wanted = dict(itertools.islice(examples(prompt, name).items(), CALLS_MAX))
    written = [call for call in calls([prompt, *texts], name) if call not in wanted]
    found = (*wanted, *written)[:CALLS_MAX]
    if found:
        return Plan(name, found, wanted)
    arity = Counter(names[name] for names in defined if name in names).most_common(1)[0][0]
    return Plan(name, tuple(_made_up(name, arity)), made_up=True)


def _functions(source: str) -> dict[str, int]:
    """The program's own functions and how many arguments each needs; none if it is no Python."""
    try:
        body = ast.parse(source[:SOURCE_CHARS_MAX]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {
        node.name: len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
        for node in body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def _made_up(name: str, arity: int) -> Iterable[str]:
    """Calls with arguments of one kind each, as many of every kind."""
    if arity == 0:
        return [f"{name}()"]
    each = CALLS_MAX // len(VALUES)
    rows = []
    for values in VALUES.values():
        for shift in range(each):
            row = [values[(i * (i + 1) + shift) % len(values)] for i in range(arity)]
            rows.append(f"{name}({', '.join(row)})")
    return dict.fromkeys(rows)
