"""Answers in LaTeX that are proven equal are one, with the extra `math` (math-verify). Shell.

The proofs run in a process of their own, which is killed when a question takes too long: they go
through a parser and a computer algebra system that were not made for what models write. Without
the extra nothing is imported, and spelling alone counts (broker.voting.answers.latex).
"""

import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from time import monotonic

import msgspec

from broker.voting.evaluate import Read, merged
from swarmctl.out import Progress
from swarmctl.text import plural

PACKAGE = "math_verify"

LEADING = 5
"""Answers of one question that are compared, those with the most votes, besides the known one:
where these are right, the others do not matter."""

QUESTION_S = 10.0
"""Without a word about the next question for so long, the process is ended. A pair has a second of
its own (swarmctl.prove), and most take a millisecond."""

START_S = 60.0
"""Importing the algebra takes two seconds on a slow core, and a busy machine is slower."""

ENDED_MAX = 5
"""Processes that may be ended before the rest is left as spelled."""

LINE_BYTES_MAX = 1 << 16
"""What the process says of one question: a handful of numbers."""


def merge(reads: Sequence[Read]) -> tuple[list[Read], str]:
    """The cases with equal answers as one, and what to say of it; nothing when there is nothing."""
    asked = [number for number, one in enumerate(reads) if one.kind == "latex"]
    if not asked:
        return list(reads), ""
    if find_spec(PACKAGE) is None:
        hint = "pip install 'local-swarm[math]' compares them as mathematics"
        return list(reads), f"answers in LaTeX are compared as they are spelled; {hint}"
    forms = {number: leading(reads[number]) for number in asked}
    several = [number for number in asked if len(forms[number]) > 1]
    groups, ended = _prove([forms[number] for number in several])
    found = list(reads)
    for number, group in zip(several, groups, strict=True):
        same = {form: forms[number][at] for form, at in zip(forms[number], group, strict=True)}
        found[number] = merged(reads[number], same)
    changed = sum(list(group) != list(range(len(group))) for group in groups)
    told = f"math-verify proved answers equal that are spelled differently in {changed} of "
    told += plural(len(asked), "question")
    return found, told + (f"; it was stopped {plural(ended, 'time')}" if ended else "")


def leading(one: Read) -> list[str]:
    """The known answer and those with the most votes, each once."""
    votes = Counter(answer for answer in one.answers if answer is not None)
    most = [answer for answer, _ in votes.most_common(LEADING)]
    won = [] if one.won is None else [one.won]
    return list(dict.fromkeys([one.gold, *won, *most]))


def _prove(questions: Sequence[Sequence[str]]) -> tuple[list[Sequence[int]], int]:
    """For each answer of each question the first one that equals it; processes that were ended."""
    found: list[Sequence[int]] = []
    ended = 0
    with Progress("comparing formulas") as progress:
        while len(found) < len(questions) and ended <= ENDED_MAX:
            found += _run(questions[len(found) :], progress)
            if len(found) < len(questions):
                found.append(range(len(questions[len(found)])))  # each equals itself
                ended += 1
    return found + [range(len(question)) for question in questions[len(found) :]], ended


def _run(questions: Sequence[Sequence[str]], progress: Progress) -> list[Sequence[int]]:
    """What one process says, until it has said all or is silent for too long."""
    found: list[Sequence[int]] = []
    with tempfile.TemporaryFile() as given:
        given.write(b"".join(msgspec.json.encode(question) + b"\n" for question in questions))
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "swarmctl.prove"],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    assert process.stdout is not None
    try:
        if _line(process.stdout.fileno(), START_S) is None:
            return found
        for question in questions:
            line = _line(process.stdout.fileno(), QUESTION_S)
            if line is None:
                break
            group = msgspec.json.decode(line, type=list[int])
            assert len(group) == len(question)
            found.append(group)
            progress.say(f"comparing formulas of {len(questions) - len(found)} questions")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return found


def _line(pipe: int, within_s: float) -> bytes | None:
    """The next line; None when none comes in time, or the process ends."""
    line = b""
    until_at = monotonic() + within_s
    while not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
        left_s = until_at - monotonic()
        if left_s <= 0 or not select.select([pipe], [], [], left_s)[0]:
            return None
        part = os.read(pipe, 1)  # one question at a time: no byte of the next is taken
        if not part:
            return None
        line += part
    return line
