"""What the core is told, and what it asks its shell to do."""

import msgspec

from broker.reliability import Past, PastJob
from protocol import messages as m
from protocol.ids import JobId, WorkerId
from protocol.records import Record

Route = bytes
"""Where a message came from and an answer goes: ZeroMQ's own routing id, never chosen by a peer."""


AboutJob = m.Submit | m.Wait | m.Cancel | m.Show
"""What a client may say about one job."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """Somebody said this."""

    route: Route
    message: m.ToBroker


class Nonsense(msgspec.Struct, frozen=True, gc=False):
    """Somebody sent bytes that are no frame of ours; `say` names a message we do not know."""

    route: Route
    say: str = ""


class Unreachable(msgspec.Struct, frozen=True, gc=False):
    """Nobody is behind this route any more."""

    route: Route


class ChildStarted(msgspec.Struct, frozen=True, gc=False):
    """A worker that we asked for is a process now; it is not READY yet."""

    worker: WorkerId
    pid: int


class ChildExited(msgspec.Struct, frozen=True, gc=False):
    """A worker process that we started has ended."""

    worker: WorkerId
    cause: str  # in words: "killed by signal 9", "exit code 78"
    final: bool = False  # its configuration cannot work: starting it again would fail again
    asked: bool = False  # it ended with 0, as a worker does when told to leave


class StopAsked(msgspec.Struct, frozen=True, gc=False):
    """The user or the service manager wants the node to end."""

    now: bool = False


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The deadline came and nothing else did."""


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """What the journal holds of the job that this message is about; nothing: it cannot be read."""

    route: Route
    message: AboutJob
    records: tuple[Record, ...]


class JournalFull(msgspec.Struct, frozen=True, gc=False):
    """The journal has no room. These jobs could not be written, and nobody was told of them."""

    because: str
    unwritten: tuple[JobId, ...] = ()


class JournalWell(msgspec.Struct, frozen=True, gc=False):
    """The journal has room again."""


class Noted(msgspec.Struct, frozen=True, gc=False):
    """The shell found something that the user should know: shown by `status` from here on."""

    notes: tuple[str, ...]


class Learned(msgspec.Struct, frozen=True, gc=False):
    """What past votes of one answer type say of each model: 0 to 1, by digest."""

    kind: str
    reliability: dict[str, float]


Event = (
    Received
    | Nonsense
    | Unreachable
    | ChildStarted
    | ChildExited
    | StopAsked
    | Fetched
    | JournalFull
    | JournalWell
    | Noted
    | Learned
    | Tick
)


class Send(msgspec.Struct, frozen=True, gc=False):
    """Say this there. Never before the records that precede it are safe."""

    route: Route
    message: m.ToClient | m.ToWorker


class Write(msgspec.Struct, frozen=True, gc=False):
    """Put this into the journal, before anything that follows is done."""

    record: Record


class Spawn(msgspec.Struct, frozen=True, gc=False):
    """Start a worker process under this name."""

    worker: WorkerId


class Kill(msgspec.Struct, frozen=True, gc=False):
    """End this worker process at once; its exit is reported as an event."""

    worker: WorkerId


class Quit(msgspec.Struct, frozen=True, gc=False):
    """Nothing is left to do: end the node."""


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """Read a finished job back from the journal, and hand it over with this message."""

    route: Route
    message: AboutJob


class Learn(msgspec.Struct, frozen=True, gc=False):
    """Find out how reliable each model is, beside the loop; the answer is Learned."""

    kind: str
    jobs: tuple[PastJob, ...]


class KeepPast(msgspec.Struct, frozen=True, gc=False):
    """Put these past votes where the next broker finds them; nothing waits for it."""

    past: Past


Action = Send | Write | Fetch | Spawn | Kill | Learn | KeepPast | Quit
