"""Models and what is known of them, as text for people. Pure."""

from collections.abc import Sequence

from protocol import messages as m
from swarmctl.text import PLAIN, Ink, plural, table

HEAD = ("MODEL", "ANSWERS", "JOBS", "RIGHT", "WEIGHT", "HERE", "DIGEST")


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
