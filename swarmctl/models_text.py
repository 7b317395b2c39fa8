"""Models and what is known of them, as text for people. Pure."""

from collections.abc import Sequence

from protocol import messages as m
from swarmctl.text import PLAIN, Ink, plural, table

HEAD = ("MODEL", "ANSWERS", "JOBS", "RIGHT", "WEIGHT", "HERE", "DIGEST")
CONFIDENCE_HEAD = ("ANSWERS", "KNOWN FROM")


def models(rows: Sequence[m.ModelReport], columns: int | None, ink: Ink = PLAIN) -> str:
    """One line for each model and answer type; a dash where too little is known."""
    if not rows:
        return "no model is here: swarmctl up"
    head, _, rest = table(HEAD, [line for row in rows for line in _lines(row)], columns).partition(
        "\n"
    )
    return f"{ink.dim(head)}\n{rest}"


def _lines(row: m.ModelReport) -> list[tuple[str, ...]]:
    here = plural(row.workers, "worker") if row.workers else "gone"
    known = row.reliability or (m.ReliabilityRow("-", 0, None, None),)
    return [
        (
            row.model,
            found.answer_type,
            str(found.jobs),
            "-" if found.reliability is None else f"{found.reliability:.0%}",
            "-" if found.weight is None else f"{found.weight:.2f}",
            here,
            row.digest,
        )
        for found in known
    ]


def confidence(rows: Sequence[m.ConfidenceRow], columns: int | None, ink: Ink = PLAIN) -> str:
    """How often the winner with a share of the votes is right, and what that is known from."""
    shares = [f"{votes} OF {of}" for votes, of, _ in rows[0].told] if rows else []
    lines = [
        (row.answer_type, _source(row), *("-" if p is None else f"{p:.0%}" for *_, p in row.told))
        for row in rows
    ]
    head, _, rest = table((*CONFIDENCE_HEAD, *shares), lines, columns).partition("\n")
    return f"{ink.dim(head)}\n{rest}"


def _source(row: m.ConfidenceRow) -> str:
    graded = f"{plural(row.graded, 'question')} of yours"
    if row.own:
        return graded
    shipped = "votes on record" if any(p is not None for *_, p in row.told) else "nothing yet"
    return f"{shipped} ({graded}: too few)" if row.graded else shipped
