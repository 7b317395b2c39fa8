"""`swarmctl eval`: is the vote worth it, on the user's own questions? Shell."""

import contextlib
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure, wrong

if TYPE_CHECKING:
    from broker.voting.evaluate import Case, Evaluation

SEED = 1
"""Of the resampling: the same votes give the same figures."""

File = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE",
        help='One question a line, {"prompt": …, "answer": …}, and optional id, choices, '
        "answer_type; - is standard input.",
    ),
]
Recorded = Annotated[
    str | None,
    typer.Option(
        "--recorded",
        help='Ask nobody: votes on record, {"answer": …, "votes": [{"model": …, "text": …}]} a '
        "line.",
        metavar="FILE",
    ),
]
Record = Annotated[
    str | None,
    typer.Option("--record", help="Write the votes here, for --recorded.", metavar="FILE"),
]
Plot = Annotated[
    str | None,
    typer.Option("--plot", help="Draw accuracy against seats here, as SVG.", metavar="FILE.svg"),
]


def evaluate(
    *,
    file: File = None,
    recorded: Recorded = None,
    record: Record = None,
    plot: Plot = None,
    votes: o.Votes = None,
    answer: o.Answer = None,
    system: o.System = "",
    temperature: o.Temperature = None,
    max_tokens: o.MaxTokens = None,
    seed: o.Seed = None,
    model: o.Model = "",
    timeout: o.Timeout = None,
    local: o.Local = False,
    json: o.Json = False,
) -> None:
    """Compare one sample with the vote, on answers that you know.

    Tells accuracy, the gain with its interval, tokens and time, by model and answer type. Every
    seat is waited for, so that each number of seats can be told. The node learns from it how far to
    trust a share of its votes (swarmctl models info).
    """
    _refuse_misuse(file, recorded, record, plot)
    flags = {
        "votes": votes,
        "answer": answer,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "stop": "all",
        "timeout": timeout,
        "local": local or None,
    }
    refused = 0
    if recorded is not None:
        from swarmctl import cases

        found = cases.recorded(recorded)
    else:
        assert file is not None
        rest = {"choices": (), "schema": "", "system": system, "seed": seed, "model": model}
        found, refused = _ask(file, flags, rest, record)
    _tell(found, refused, plot, json)


def _refuse_misuse(
    file: str | None, recorded: str | None, record: str | None, plot: str | None
) -> None:
    if (file is None) == (recorded is None):
        raise wrong(
            "give a file of questions, or --recorded FILE", "one of them", "swarmctl eval q.jsonl"
        )
    if recorded is not None and record is not None:
        raise wrong(
            "--record with --recorded", "nothing new would be recorded", "leave --record out"
        )
    if plot is not None and not plot.lower().endswith(".svg"):
        raise wrong(f"--plot {plot}", "the drawing is SVG, whatever its name", "--plot FILE.svg")


def _ask(
    file: str, flags: dict[str, Any], rest: dict[str, Any], record: str | None
) -> "tuple[list[Case], int]":
    """The votes of the node that runs here on each question, and how many it refused."""
    import msgspec

    from swarmctl import batch, cases
    from swarmctl.gathered import Cases
    from swarmctl.submit import any_node, template

    asked = cases.asked(file)
    job = msgspec.structs.replace(template(flags, rest), min_agreement=0.0)
    with _opened(record) as out, any_node(job) as (client, asking):
        sink = Cases({question.id: gold for question, gold in asked}, out, client.grade)
        batch.run(client, asking, [question for question, _ in asked], sink)
    return sink.cases, sink.failed


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    try:
        file = Path(path).open("wb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise wrong(f"cannot write {path}", str(error.strerror), "give another file") from None
    with file:
        yield file


def _tell(cases: "Sequence[Case]", refused: int, plot: str | None, json: bool) -> None:
    from broker.voting.evaluate import evaluate as figures_of
    from broker.voting.evaluate import read
    from swarmctl import asjson, equations, evaluate_text
    from swarmctl.out import data, ink, talk, wide

    with_votes = [case for case in cases if case.votes]
    if not with_votes:
        raise Failure(
            "no question has a vote",
            f"{len(cases)} were read, {refused} were refused",
            "swarmctl status",
            Exit.NO_ROOM,
        )
    reads, note = equations.merge([read(case) for case in cases])
    found = figures_of(reads, random.Random(SEED))  # noqa: S311 - resampling is no secret
    if plot is not None:
        _draw(found, plot)
    if json:
        data(asjson.line(evaluate_text.record(found, refused)))
    else:
        data(evaluate_text.evaluation(found, wide(), ink(sys.stdout)))
        talk(evaluate_text.conclusion(found))
    if note and not json:
        talk(f"note: {note}")
    if refused:
        talk(f"note: {refused} questions were refused by the node and are not counted")


def _draw(found: "Evaluation", path: str) -> None:
    from swarmctl.plot import svg

    title = f"Accuracy against seats, {found.all.questions} questions"
    try:
        Path(path).write_text(svg(found.curve, title), encoding="utf-8")
    except OSError as error:
        raise wrong(f"cannot write {path}", str(error.strerror), "give another file") from None
