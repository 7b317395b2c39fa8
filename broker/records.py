"""What a journal must hold so that a restarted broker can take up every unfinished job.

Written is what is dear to do again: that a job was accepted, that a ballot was issued, a vote,
and the verdict. What can be derived is not written.
"""

import msgspec

from protocol import messages as m
from protocol.ids import JobId


class JobAccepted(msgspec.Struct, frozen=True, tag=True):
    """From here the job is ours."""

    submit: m.Submit
    asked: int
    seed: int
    notes: tuple[str, ...] = ()


class BallotIssued(msgspec.Struct, frozen=True, tag=True):
    """These seats were given to this voter; their attempts started."""

    job: JobId
    voter: str
    seats: tuple[m.BallotSeat, ...]


class VoteCounted(msgspec.Struct, frozen=True, tag=True):
    """A vote is in the count."""

    job: JobId
    vote: m.VoteRecord


class VerdictGiven(msgspec.Struct, frozen=True, tag=True):
    """The job has ended."""

    verdict: m.Verdict


Record = JobAccepted | BallotIssued | VoteCounted | VerdictGiven
