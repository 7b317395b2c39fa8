"""What a journal holds, so that a restarted broker can take up every unfinished job.

Written is what is dear to do again, and what the count depends on: that a job was accepted, that a
ballot was issued, what came of a seat, and the verdict. What can be derived is not written.

    life = JobAccepted *( BallotIssued | VoteCounted | SeatGivenUp ) [ VerdictGiven *VerdictHeard ]

A record is durable before anything is said that the broker asked for after it. Its place is here,
beside the messages, since it is read by others than who writes it: `swarmctl jobs` reads the
journal while no broker runs. The same rules hold: a new field has a default, a type never changes.
"""

import msgspec

from protocol import messages as m
from protocol.ids import JobId, Seat


class JobAccepted(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """From here the job is ours."""

    submit: m.Submit
    asked: int
    seed: int
    notes: tuple[str, ...] = ()
    weights: dict[str, float] = {}  # of a vote, by model digest; empty: one each


class BallotIssued(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """These seats were given to this voter; their attempts started."""

    job: JobId
    voter: str
    seats: tuple[m.BallotSeat, ...]


class VoteCounted(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A vote is in the count, or was found to hold no answer."""

    job: JobId
    vote: m.VoteRecord


class SeatGivenUp(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """This seat will never be answered. Written since the count goes on from it, as from a vote."""

    job: JobId
    seat: Seat
    state: m.SeatState  # "abstained" or "declined"
    reason: str


class VerdictGiven(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """The job has ended."""

    verdict: m.Verdict


class VerdictHeard(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A client has this verdict for good. Nothing waits for it to be durable."""

    job: JobId


class JobsForgotten(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """These jobs, all with a verdict, were kept for long enough."""

    jobs: tuple[JobId, ...]


Record = (
    JobAccepted
    | BallotIssued
    | VoteCounted
    | SeatGivenUp
    | VerdictGiven
    | VerdictHeard
    | JobsForgotten
)
