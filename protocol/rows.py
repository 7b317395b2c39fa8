"""What stands inside messages: records of votes, and rows of reports. See `messages`."""

from typing import Literal

import msgspec

from protocol.ids import JobId, NodeId, Seat, WorkerId

Finish = Literal["stop", "length", "cancelled", "error"]
Result = Literal["decided", "tied", "expired", "cancelled", "failed"]
JobState = Literal["waiting", "voting", "done"]
WorkerState = Literal["starting", "alive", "suspect", "draining", "failed"]
SeatState = Literal["waiting", "open", "voted", "abstained", "declined", "lost", "cancelled"]


class BallotSeat(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A seat on a ballot. `attempt` tells a late answer from the one that is awaited."""

    seat: Seat
    seed: int
    attempt: int


class VoteRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One seat's answer, as it stands in a verdict for good."""

    seat: Seat
    seed: int
    node: str
    worker: WorkerId
    engine: str
    model: str
    digest: str
    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int
    time_s: float  # from the ballot's issue to the vote's arrival, by the broker's clock
    answer: str | None = None  # canonical; None: abstained
    verbatim: bool = False  # the text is the answer, which is left out (protocol.verbatim)


class NodeFacts(msgspec.Struct, frozen=True, gc=False):
    """This node, for `swarmctl status`."""

    id: NodeId
    name: str
    version: str
    pid: int
    uptime_s: float
    address: str
    home: str


class JobCounts(msgspec.Struct, frozen=True, gc=False):
    """Jobs since the broker started, and seats whose vote was lost with their voter."""

    queued: int
    running: int
    done: int
    lost_votes: int
    rejected: int
    dropped_frames: int


class WorkerReport(msgspec.Struct, frozen=True, gc=False):
    """One worker of this node, starting and failed ones too."""

    id: WorkerId
    pid: int | None
    state: WorkerState
    engine: str
    model: str
    digest: str
    slots: int
    busy: int
    tokens_per_s: float | None
    memory_bytes: int | None
    votes: int = 0
    restarts: int = 0
    reason: str = ""  # why it is suspect, failed or starting again
    notes: tuple[str, ...] = ()


class ReliabilityRow(msgspec.Struct, frozen=True, gc=False):
    """What past votes of one answer type say of a model."""

    answer_type: str
    jobs: int  # past jobs in which it and another model voted
    reliability: float | None  # how often it is right, 0 to 1; None: too few jobs to know
    weight: float | None  # of its vote beside the models that are here now; None: all weigh one


class ModelReport(msgspec.Struct, frozen=True, gc=False):
    """One model file, for `swarmctl models info`."""

    model: str
    digest: str
    engine: str  # empty: no voter has it now
    workers: int
    slots: int
    reliability: tuple[ReliabilityRow, ...] = ()


class ConfidenceRow(msgspec.Struct, frozen=True, gc=False):
    """What shares of the votes are worth here, for one answer type."""

    answer_type: str
    graded: int  # questions with known answers that were put to the models that are here
    own: bool  # whether these bend what ships
    told: tuple[tuple[int, int, float | None], ...]  # (votes for it, of, probability of right)


class PeerReport(msgspec.Struct, frozen=True, gc=False):
    """One other node, as this one sees it."""

    id: NodeId
    name: str
    address: str
    state: str
    models: tuple[str, ...]
    slots: int
    busy: int
    timeout_s: float
    latency_ms: float | None
    success: float | None
    votes: int
    last_seen_s: float


class JobRow(msgspec.Struct, frozen=True, gc=False):
    """One line of `swarmctl jobs ls`."""

    job: JobId
    state: JobState
    outcome: str  # empty while it runs
    asked: int
    cast: int
    age_s: float
    prompt: str  # its beginning
    answer: str | None = None


class SeatReport(msgspec.Struct, frozen=True, gc=False):
    """One seat's life, for `swarmctl jobs show`."""

    seat: Seat
    seed: int
    state: SeatState
    attempts: int
    worker: WorkerId | None
    seated_s: float | None  # after acceptance
    ended_s: float | None
    reason: str = ""
