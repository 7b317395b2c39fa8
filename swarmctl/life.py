"""One job's records as the reports that a broker would give of it. Pure."""

from collections.abc import Sequence

from protocol import messages as m
from protocol.ids import Seat, WorkerId
from protocol.journal import job_of
from protocol.records import BallotIssued, JobAccepted, Record, SeatGivenUp, VerdictGiven
from protocol.records import VoteCounted as Counted

PROMPT_SHOWN_CHARS = 120
"""Of a prompt in a list, as the broker cuts it."""


def verdict_of(records: Sequence[Record]) -> m.Verdict | None:
    """How it ended; None while it has not."""
    return next((r.verdict for r in records if isinstance(r, VerdictGiven)), None)


def votes_of(records: Sequence[Record]) -> dict[Seat, m.VoteRecord]:
    """What came back of each seat."""
    verdict = verdict_of(records)
    votes = verdict.votes if verdict else [r.vote for r in records if isinstance(r, Counted)]
    return {vote.seat: vote for vote in votes}


def _state(records: Sequence[Record]) -> m.JobState:
    if verdict_of(records):
        return "done"
    return "voting" if any(isinstance(r, BallotIssued) for r in records) else "waiting"


def _submit(records: Sequence[Record]) -> JobAccepted:
    return next(r for r in records if isinstance(r, JobAccepted))


def row(records: Sequence[Record], age_s: float) -> m.JobRow:
    """One line of `jobs ls`."""
    accepted, verdict = _submit(records), verdict_of(records)
    prompt = accepted.submit.prompt[: 2 * PROMPT_SHOWN_CHARS]
    return m.JobRow(
        job=job_of(records),
        state=_state(records),
        outcome=verdict.outcome if verdict else "",
        asked=verdict.asked if verdict else accepted.asked,
        cast=sum(vote.answer is not None for vote in votes_of(records).values()),
        age_s=round(age_s, 3),
        prompt=" ".join(prompt.split())[:PROMPT_SHOWN_CHARS],
        answer=verdict.answer if verdict else None,
    )


def report(records: Sequence[Record]) -> m.JobReport:
    """`jobs show`: each seat that was on a ballot, or ended. When things happened is not kept."""
    votes = votes_of(records)
    given_up = {r.seat: r for r in records if isinstance(r, SeatGivenUp)}
    issued = {s.seat: (r.voter, s) for r in records if isinstance(r, BallotIssued) for s in r.seats}
    verdict = verdict_of(records)
    seats = []
    for number in sorted({*votes, *given_up, *issued}):
        vote, gone = votes.get(number), given_up.get(number)
        voter, ballot = issued.get(number, (None, None))
        state: m.SeatState = "cancelled" if verdict else "waiting"
        if vote:
            state = "abstained" if vote.answer is None else "voted"
        elif gone:
            state = gone.state
        seats.append(
            m.SeatReport(
                seat=number,
                seed=vote.seed if vote else ballot.seed if ballot else 0,
                state=state,
                attempts=ballot.attempt if ballot else 1,
                worker=vote.worker if vote else WorkerId(voter) if voter else None,
                seated_s=None,
                ended_s=None,
                reason=gone.reason if gone else "",
            )
        )
    return m.JobReport(
        job_of(records), _state(records), _submit(records).submit, tuple(seats), verdict
    )
