"""Questions with known answers, and votes on record: the files that `swarmctl eval` reads.

question   {"prompt": …, "answer": …} and optional "id", "choices", "answer_type"
recorded   {"answer": …, "votes": [{"model", "text", "tokens", "time_s", "finish"}, …]} and
           optional "id", "prompt", "choices", "answer_type", "time_s", "verdict"

A "verdict", as `--record` writes it, is what is told of; null is a job without one. Without it the
votes are counted in their order: who arrived first, which decides a tie, is not in the file.
"""

from collections.abc import Sequence
from typing import TypeVar, get_args

import msgspec

from broker.voting import ANSWER_TYPES, extract
from broker.voting.evaluate import Case, Sample
from protocol.rows import Finish
from swarmctl.exits import wrong
from swarmctl.questions import QUESTIONS_MAX, Question, checked, contents

QUESTION = '{"prompt": "What is 6 times 7?", "answer": "42"}'
RECORDED = '{"answer": "42", "votes": [{"model": "abacus", "text": "#### 42"}]}'

FINISHES = get_args(Finish)
"""How a vote may have ended; one that did not stop by itself abstains."""

T = TypeVar("T")

Known = str | int | float | bool


class _Asked(msgspec.Struct):
    prompt: str
    answer: Known
    id: str | int | None = None
    choices: tuple[str, ...] = ()
    answer_type: str = ""


class _Told(msgspec.Struct):
    answer: Known
    votes: tuple[Sample, ...]
    id: str | int | None = None
    prompt: str = ""
    choices: tuple[str, ...] = ()
    answer_type: str = "auto"
    time_s: float = 0.0
    verdict: str | msgspec.UnsetType | None = msgspec.UNSET


def asked(path: str) -> list[tuple[Question, str]]:
    """The questions of a file with their known answers. Raises Failure with the line."""
    decoder = msgspec.json.Decoder(_Asked)
    found: list[tuple[Question, str]] = []
    ids: set[str | int] = set()
    for number, line in _lines(path):
        where = f"line {number} of {path}"
        read = _decoded(decoder, line, where, QUESTION)
        _check(read.answer_type or "auto", read.answer, read.choices, where)
        name = number if read.id is None else read.id
        if name in ids:
            raise wrong(f"{where} has the id {name!r}", "another line has it too", "number them")
        ids.add(name)
        prompt = checked(read.prompt, where)
        found.append((Question(name, prompt, read.answer_type, read.choices), known(read.answer)))
    return found


def recorded(path: str) -> list[Case]:
    """The cases of a file of recorded votes. Raises Failure with the line."""
    decoder = msgspec.json.Decoder(_Told)
    found = []
    for number, line in _lines(path):
        where = f"line {number} of {path}"
        read = _decoded(decoder, line, where, RECORDED)
        _check(read.answer_type, read.answer, read.choices, where)
        _check_votes(read.votes, where)
        found.append(
            Case(
                gold=known(read.answer),
                votes=read.votes,
                answer="choice" if read.choices else read.answer_type,
                choices=read.choices,
                prompt=read.prompt,
                time_s=read.time_s,
                judged=read.verdict is not msgspec.UNSET,
                verdict=None if read.verdict is msgspec.UNSET else read.verdict,
            )
        )
    return found


def line_of(name: str | int, case: Case) -> bytes:
    """A case as a line of a file of recorded votes."""
    told: dict[str, object] = {
        "id": name,
        "prompt": case.prompt,
        "answer": case.gold,
        "answer_type": case.answer,
        "choices": case.choices,
        "time_s": case.time_s,
        "votes": case.votes,
    }
    if case.judged:
        told["verdict"] = case.verdict
    return msgspec.json.encode(told) + b"\n"


def known(answer: Known) -> str:
    """A known answer as text: people write 42 as well as "42"."""
    return str(answer).lower() if isinstance(answer, bool) else str(answer)


def _lines(path: str) -> Sequence[tuple[int, bytes]]:
    lines = [
        (number, line)
        for number, line in enumerate(contents(path).split(b"\n"), start=1)
        if line.strip()
    ]
    if not lines:
        raise wrong(f"{path} holds no question", "every line is empty", QUESTION)
    if len(lines) > QUESTIONS_MAX:
        raise wrong(
            f"{path} has over {QUESTIONS_MAX} questions", "all are held in memory", "split it"
        )
    return lines


def _check(answer_type: str, answer: Known, choices: Sequence[str], where: str) -> None:
    """Refuse what no vote could be right on, before anybody is asked."""
    if answer_type not in ANSWER_TYPES:
        there_is = f"there is {', '.join(ANSWER_TYPES)}"
        raise wrong(f"{where} has the answer_type {answer_type!r}", there_is, "correct that line")
    if not known(answer).strip():
        raise wrong(f"{where} has an empty answer", "no vote could be right", QUESTION)
    if choices and extract(known(answer), "choice", choices) is None:
        there_is = f"there is {'; '.join(choices)}"
        raise wrong(
            f"{where}: {known(answer)!r} is none of its choices", there_is, "correct that line"
        )
    if not choices and answer_type != "auto" and extract(known(answer), answer_type) is None:
        seen = f"{where}: {known(answer)!r} is no {answer_type}"
        raise wrong(seen, "no vote could be right", "correct that line")


def _check_votes(votes: Sequence[Sample], where: str) -> None:
    for vote in votes:
        if vote.finish not in FINISHES:
            there_is = f"there is {', '.join(FINISHES)}"
            raise wrong(f"{where} has the finish {vote.finish!r}", there_is, "correct that line")
        if vote.tokens < 0 or vote.time_s < 0:
            raise wrong(f"{where} has a vote of less than nothing", "tokens and time_s", RECORDED)


def _decoded(decoder: msgspec.json.Decoder[T], line: bytes, where: str, example: str) -> T:
    try:
        return decoder.decode(line)
    except (ValueError, RecursionError) as error:
        raise wrong(
            f"{where} cannot be read", str(error), f"write each line as {example}"
        ) from None
