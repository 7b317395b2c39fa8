"""The same seeds again: which texts are the same, and where the others part. Pure."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from protocol import messages as m
from protocol.ids import JobId, Seat
from protocol.limits import SEATS_MAX

SHOWN_CHARS = 40
"""Of each text, from where they part: a line of a terminal."""

State = Literal["same", "differs", "another model", "missing"]


class Compared(msgspec.Struct, frozen=True):
    """One seat, then and now."""

    seat: Seat
    seed: int
    state: State
    at: int | None = None  # the first character that differs
    before: str = ""  # from there
    after: str = ""


def again(report: m.JobReport, job: JobId) -> m.Submit:
    """The job whose seats have the seeds of this one, asked to the same model file if it was one.

    Every seat is waited for, since the order of votes is nobody's promise.
    """
    votes = report.verdict.votes if report.verdict else ()
    digests = {vote.digest for vote in votes}
    return msgspec.structs.replace(
        report.submit,
        job=job,
        seed=next(seat.seed for seat in report.seats if seat.seat == 0),
        votes=min(SEATS_MAX, 1 + max(vote.seat for vote in votes)),
        model=digests.pop() if len(digests) == 1 else report.submit.model,
        stop="all",
        min_agreement=0.0,
        watch=False,
        checked=False,
    )


def compare(before: Sequence[m.VoteRecord], after: Sequence[m.VoteRecord]) -> list[Compared]:
    """Seat by seat of what there was before."""
    now = {vote.seat: vote for vote in after}
    return [_seat(vote, now.get(vote.seat)) for vote in before]


def _seat(old: m.VoteRecord, new: m.VoteRecord | None) -> Compared:
    if new is None or new.seed != old.seed:
        return Compared(old.seat, old.seed, "missing")
    if new.digest != old.digest:
        return Compared(old.seat, old.seed, "another model")
    if new.text == old.text and new.finish == old.finish:
        return Compared(old.seat, old.seed, "same")
    pairs = zip(old.text, new.text, strict=False)
    shorter = min(len(old.text), len(new.text))
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), shorter)
    shown = slice(at, at + SHOWN_CHARS)
    return Compared(old.seat, old.seed, "differs", at, old.text[shown], new.text[shown])


def line(c: Compared) -> str:
    """One seat, for people."""
    said = f"seat {c.seat} (seed {c.seed})  {c.state}"
    if c.at is not None:
        said += f" from character {c.at}: {c.before!r}, now {c.after!r}"
    return said


def record(job: str, put: m.Submit, compared: Sequence[Compared]) -> dict[str, Any]:
    """For --json."""
    same = sum(c.state == "same" for c in compared)
    seats = [msgspec.structs.asdict(c) for c in compared]
    return {"job": job, "again": put.job, "same": same, "of": len(seats), "seats": seats}
