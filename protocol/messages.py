"""Every message, under the grammar of who says what. Named fields; durations, never moments.

client and broker
    submit  = SUBMIT ( REJECTED | ACCEPTED *PROGRESS VERDICT )   same job id again: the same job
    wait    = WAIT ( REJECTED | *PROGRESS VERDICT )              from any client, at any time
    cancel  = CANCEL ( REJECTED | VERDICT )
    check   = CHECKED                     no reply: what came of a vote of a job that is checked
    ask     = STATUS NODEREPORT | JOBS JOBLIST | MODELS MODELLIST | SHOW ( REJECTED | JOBREPORT )
    heard   = ACK                         no reply: these verdicts need not be kept for me
    grade   = GRADED                      no reply: whether a verdict is right, where that is known
    steer   = SCALE ( REJECTED | SCALED ) | DOWN STOPPING

worker and broker
    join    = READY                       after a real one-token answer, never before
    live    = *( HEARTBEAT )              every HEARTBEAT_S, from the thread that generates
    serve   = BALLOT *( VOTE | ABSTAIN | DECLINE )       one for each seat of the ballot
    recall  = RECALL                      these seats are not wanted any more: no reply
    leave   = STOP *( VOTE … ) GONE       the worker finishes what it has, unless told `now`
    fail    = GONE                        instead of READY: it could not load its model
    again   = INTRODUCE READY             a broker that does not know the sender asks it to join

Compatibility: a new field has a default, a field never changes its type, unknown fields are
skipped, an unknown message is answered with REJECTED "unsupported" (msgspec schema evolution).
"""

import msgspec

from protocol.errors import Problem
from protocol.ids import JobId, Seat, WorkerId
from protocol.rows import BallotSeat as BallotSeat
from protocol.rows import ConfidenceRow as ConfidenceRow
from protocol.rows import Finish as Finish
from protocol.rows import JobCounts as JobCounts
from protocol.rows import JobRow as JobRow
from protocol.rows import JobState as JobState
from protocol.rows import ModelReport as ModelReport
from protocol.rows import NodeFacts as NodeFacts
from protocol.rows import PeerReport as PeerReport
from protocol.rows import ReliabilityRow as ReliabilityRow
from protocol.rows import Result as Result
from protocol.rows import SeatReport as SeatReport
from protocol.rows import SeatState as SeatState
from protocol.rows import VoteRecord as VoteRecord
from protocol.rows import WorkerReport as WorkerReport
from protocol.rows import WorkerState as WorkerState


class Message(
    msgspec.Struct, frozen=True, tag_field="say", tag=str.upper, omit_defaults=True, gc=False
):
    """Base of all that crosses a socket; the tag is the class name in capitals.

    gc=False: a frozen tree has no cycles, so the collector need not look at it.
    """


# ---------------------------------------------------------------- client to broker


class Submit(Message, frozen=True):
    """Put one question to the swarm. Repeating it with the same job id changes nothing."""

    job: JobId
    prompt: str
    votes: int = 8  # seats asked for, 1 to SEATS_MAX
    answer: str = "auto"  # an answer type of broker.voting
    choices: tuple[str, ...] = ()  # the answers allowed, for answer "choice"
    schema: str = ""  # JSON Schema that an answer must fit, for answers "auto" and "json"
    system: str = ""
    temperature: float = 0.8
    max_tokens: int = 512
    seed: int | None = None  # of seat 0; the others follow from it. None: the broker draws one
    model: str = ""  # only voters with this model; empty: any
    stop: str = "fast"  # when to stop counting, a mode of broker.voting
    stop_strings: tuple[str, ...] = ()  # an answer's text ends before the first of these
    timeout_s: float = 60.0
    min_agreement: float = 0.0  # below this share of the votes there is no verdict
    local: bool = False  # only voters of this node
    watch: bool = False  # PROGRESS is wanted
    checked: bool = False  # not counted: the first vote that the client says CHECKED of wins


class Wait(Message, frozen=True):
    """Deliver this job's verdict here too, at once if it is there already."""

    job: JobId
    watch: bool = False


class Cancel(Message, frozen=True):
    """End this job now."""

    job: JobId


class Checked(Message, frozen=True):
    """This vote of a checked job was tried. Repeating it changes nothing."""

    job: JobId
    seat: Seat
    passed: bool
    stopped: str = ""  # why the job ends so, if it ends with this; at most STOPPED_CHARS_MAX count


class Graded(Message, frozen=True):
    """The answer to this job's question is known: was the verdict right? The last word counts."""

    job: JobId
    right: bool


class Ack(Message, frozen=True):
    """These verdicts are shown or stored: from here on they are history, and may be forgotten."""

    jobs: tuple[JobId, ...]


class Status(Message, frozen=True):
    """How is the node?"""


class Jobs(Message, frozen=True):
    """Which jobs are there? The newest first."""

    limit: int = 50  # at most JOBS_LISTED_MAX


class Models(Message, frozen=True):
    """Which models vote here, and how reliable have they been?"""


class Show(Message, frozen=True):
    """Tell this job's life."""

    job: JobId


class Scale(Message, frozen=True):
    """Let there be this many workers under the broker's supervision."""

    workers: int


class Down(Message, frozen=True):
    """Finish what runs, then end the node; with `now`, end it at once."""

    now: bool = False


# ---------------------------------------------------------------- broker to client


class Accepted(Message, frozen=True):
    """The job is ours: it ends in exactly one verdict."""

    job: JobId
    asked: int  # seats; fewer than were asked for when more would be the same vote again
    seed: int  # of seat 0
    notes: tuple[str, ...] = ()


class Rejected(Message, frozen=True):
    """The request was not taken, and nothing was changed by it."""

    problem: Problem
    job: JobId = JobId("")


class Progress(Message, frozen=True):
    """A vote has come in."""

    job: JobId
    vote: VoteRecord
    cast: int
    asked: int
    leader: str | None = None  # of a checked job what the count would take, once no seat is out
    leader_votes: int = 0
    answer_type: str = ""  # as counted so far
    out: int = 0  # seats that may still be answered


class Verdict(Message, frozen=True):
    """The job's end. It never changes after it was given."""

    job: JobId
    outcome: Result
    stopped: str  # why the count ended, in words
    asked: int
    cast: int = 0
    abstained: int = 0
    declined: int = 0
    lost: int = 0
    cancelled: int = 0
    answer: str | None = None  # canonical answer of the winner
    answer_type: str = ""
    mode: str = ""
    winner: Seat | None = None  # the seat whose text stands for the answer
    agreement: float = 0.0  # the winner's share of the votes cast
    confidence: float | None = None  # calibrated probability that the answer is right
    margin: int = 0  # votes of the winner less those of the second
    tokens: int = 0  # sampled for the votes that count
    tokens_cancelled: int = 0  # sampled for seats that were cancelled, as last reported
    time_s: float = 0.0  # from acceptance
    votes: tuple[VoteRecord, ...] = ()
    notes: tuple[str, ...] = ()
    tried: int = 0  # votes of a checked job that were tried
    passed: int = 0  # of these
    verbatim: bool = False  # the winner's text is the answer, which is left out


class NodeReport(Message, frozen=True):
    """The answer to STATUS."""

    node: NodeFacts
    jobs: JobCounts
    workers: tuple[WorkerReport, ...]
    peers: tuple[PeerReport, ...] = ()
    draining: bool = False
    notes: tuple[str, ...] = ()


class JobList(Message, frozen=True):
    """The answer to JOBS, newest first."""

    jobs: tuple[JobRow, ...]
    more: int = 0  # rows left out by the limit


class ModelList(Message, frozen=True):
    """The answer to MODELS: those that are here first."""

    models: tuple[ModelReport, ...]
    confidence: tuple[ConfidenceRow, ...] = ()


class JobReport(Message, frozen=True):
    """The answer to SHOW."""

    job: JobId
    state: JobState
    submit: Submit
    seats: tuple[SeatReport, ...]
    verdict: Verdict | None = None


class Scaled(Message, frozen=True):
    """The answer to SCALE."""

    workers: int
    before: int


class Stopping(Message, frozen=True):
    """The answer to DOWN: the node ends once these are done."""

    running: int
    grace_s: float


# ---------------------------------------------------------------- worker to broker


class Ready(Message, frozen=True):
    """A worker that has answered a real one-token request offers its slots."""

    worker: WorkerId
    pid: int
    engine: str
    engine_version: str
    model: str
    digest: str
    slots: int
    context_tokens: int
    tokens_per_s: float | None = None
    memory_bytes: int | None = None
    notes: tuple[str, ...] = ()


class Heartbeat(Message, frozen=True):
    """Said by the thread that generates: silence means that no step has ended."""

    busy: int  # slots occupied
    waiting: int  # seats not yet in a slot
    tokens: int  # sampled since the worker started
    prefilled: int  # prompt tokens computed since then
    step_s_max: float  # the longest step lately: how long silence may honestly last
    tokens_per_s: float | None = None
    memory_bytes: int | None = None


class Vote(Message, frozen=True):
    """A seat's answer."""

    job: JobId
    seat: Seat
    attempt: int
    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int
    running_tokens: int = 0  # sampled so far by this job's other seats in this worker


class Abstain(Message, frozen=True):
    """The seat was tried and gave no usable answer."""

    job: JobId
    seat: Seat
    attempt: int
    reason: str


class Decline(Message, frozen=True):
    """The seat was not tried. `final`: it never will be, here (such as a prompt too long)."""

    job: JobId
    seat: Seat
    attempt: int
    reason: str
    final: bool = False


class Gone(Message, frozen=True):
    """The worker leaves, or could not start; what it still held was not answered."""

    reason: str
    worker: WorkerId = WorkerId("")  # named by one that never was READY


# ---------------------------------------------------------------- broker to worker


class Ballot(Message, frozen=True):
    """Answer this question once for each of these seats, each with its own seed."""

    job: JobId
    seats: tuple[BallotSeat, ...]
    prompt: str
    timeout_s: float  # from receipt, on the receiver's clock
    system: str = ""
    temperature: float = 0.8
    max_tokens: int = 512
    stop_strings: tuple[str, ...] = ()


class Recall(Message, frozen=True):
    """These seats of the job are not wanted any more: stop them in mid-sentence."""

    job: JobId
    seats: tuple[Seat, ...]


class Introduce(Message, frozen=True):
    """The broker does not know the sender: say READY again."""


class Stop(Message, frozen=True):
    """Take no more ballots; finish what you have and leave, or with `now` leave at once."""

    now: bool = False
    reason: str = ""


FromClient = (
    Submit | Wait | Cancel | Checked | Graded | Ack | Status | Jobs | Models | Show | Scale | Down
)
FromWorker = Ready | Heartbeat | Vote | Abstain | Decline | Gone
ToClient = (
    Accepted
    | Rejected
    | Progress
    | Verdict
    | NodeReport
    | JobList
    | ModelList
    | JobReport
    | Scaled
    | Stopping
)
ToWorker = Ballot | Recall | Introduce | Stop
ToBroker = FromClient | FromWorker
