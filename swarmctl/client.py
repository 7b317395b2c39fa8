"""One conversation with the local broker: a DEALER on its socket. Shell.

A broker that is not there is found at once, by its socket; one that is there but silent, such as
one that was stopped with SIGSTOP, is found by its silence. Nothing here waits for ever.
"""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

import zmq

from detect.home import Home
from protocol import frames
from protocol import messages as m
from protocol.errors import FrameError, Problem, WrongVersion
from protocol.ids import JobId
from protocol.limits import FRAME_BYTES_MAX
from swarmctl.exits import CODES, Exit, Failure, NoBroker, wrong
from swarmctl.follow import Follow

SILENCE_S = 3.0
"""One question, one answer: a broker that runs answers within a turn of its loop."""

FRAMES_MAX = 1000
"""ZeroMQ's bound on frames held for us or by us; a client reads as fast as it is told."""

TICK_S = 0.25
"""How often a progress line moves."""

CANCEL_S = 2.0
"""How long an interrupted client waits to see its job end."""

ACK_MS = 200
"""How long leaving may take for the sake of an ACK."""

M = TypeVar("M", bound=m.Message)


def is_listening(home: Home) -> bool:
    """Whether any process listens on the node's socket: a stale file or none is no broker.

    Raises HomeError when no socket can be there.
    """
    home.address  # noqa: B018 - raises HomeError
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(str(home.socket))
    # EAGAIN: the listener's queue is full, so there is a listener (connect(2), UNIX domain).
    return code in (0, errno.EAGAIN, errno.EINPROGRESS)


def broker_pid(home: Home) -> int | None:
    """The process id in the lock file; None when there is none."""
    try:
        return int(home.lock.read_text().strip())
    except (OSError, ValueError):
        return None


def broker_shown(home: Home) -> str:
    """The broker's process id for people to read, or the command that finds it out."""
    return str(broker_pid(home) or f"$(fuser {home.socket})")


def refusal(problem: Problem) -> Failure:
    """The broker's REJECTED as the end of a command."""
    return Failure(problem.seen, problem.because, problem.hint, CODES.get(problem.code, 1))


class Client:
    """Connected lazily by ZeroMQ; use as a context manager. Raises NoBroker at once if none."""

    def __init__(self, home: Home) -> None:
        self._home = home
        address = home.address
        if not is_listening(home):
            raise NoBroker("no node runs here", f"nobody listens on {home.socket}")
        self._linger_ms = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set_hwm(FRAMES_MAX)
        self._socket.set(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        self._socket.set(zmq.RECONNECT_IVL, 50)
        self._socket.set(zmq.RECONNECT_IVL_MAX, 1000)
        self._socket.set(zmq.HANDSHAKE_IVL, 3000)
        self._socket.connect(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave at once; what was not sent yet is dropped, but for an ACK on its way."""
        self._context.destroy(linger=self._linger_ms)

    def send(self, *said: m.Message) -> None:
        """Say these. Raises NoBroker when nobody has taken a frame for FRAMES_MAX frames, and
        Failure for what was typed in bytes that are no text: Python passes them on."""
        try:
            for frame in frames.pack([frames.encode(message) for message in said]):
                self._socket.send(frame, zmq.NOBLOCK)
        except UnicodeEncodeError as error:
            seen = f"{error.object[:60]!r} is no text"
            raise wrong(seen, str(error.reason), "give it as UTF-8 text") from None
        except zmq.Again:
            raise self._silent() from None

    def ack(self, *jobs: JobId) -> None:
        """These verdicts are shown or stored: the broker may forget them when it needs the room.

        Lost with a broker that goes, which then only keeps them longer.
        """
        with contextlib.suppress(NoBroker):
            self.send(m.Ack(jobs))
            self._linger_ms = ACK_MS

    def grade(self, job: JobId, right: bool) -> None:
        """Tell whether this job's verdict is right. Lost with a broker that goes."""
        with contextlib.suppress(NoBroker):
            self.send(m.Graded(job, right))

    def receive(self, timeout_s: float) -> list[m.Message]:
        """What the broker says next, in order; empty when it says nothing for `timeout_s`."""
        if not self._socket.poll(max(0, round(timeout_s * 1000))):
            return []
        try:
            return frames.to_client(self._socket.recv())
        except WrongVersion as error:
            raise Failure(
                "the node speaks another version of the protocol",
                str(error),
                "swarmctl down, then swarmctl up, to run this version",
            ) from None
        except FrameError:
            return []  # a newer broker's message that we do not know; silence is handled above

    def ask(self, question: m.Message, answer: type[M], timeout_s: float = SILENCE_S) -> M:
        """One question, one answer of the given kind. Raises Failure when refused or unheard."""
        self.send(question)
        deadline_at = monotonic() + timeout_s
        while (left_s := deadline_at - monotonic()) > 0:
            for said in self.receive(left_s):
                if isinstance(said, m.Rejected):
                    raise refusal(said.problem)
                if isinstance(said, answer):
                    return said
        raise self._silent()

    def listen(
        self,
        follow: Follow,
        until_s: float | None = None,
        tick: Callable[[], None] | None = None,
        tick_s: float = TICK_S,
    ) -> Iterator[m.Message]:
        """What is said about the followed jobs, until all have ended (or `until_s` has passed).

        Says again what must be, over reconnects. `tick` is called every `tick_s`. Jobs may be added
        to `follow` between two messages. Raises NoBroker after GIVE_UP_S of silence.
        """
        deadline_at = monotonic() + until_s if until_s is not None else float("inf")
        wait_s = float("inf") if tick is None else tick_s
        while follow.jobs and (now := monotonic()) < deadline_at:
            for said in self.receive(min(follow.due_s(now), deadline_at - now, wait_s)):
                answers, news = follow.heard(said, monotonic())
                if answers:
                    self.send(*answers)
                yield from news
            now = monotonic()
            if follow.is_silent(now):
                raise self._silent()
            if again := follow.repeat(now):
                self.send(*again)
            if tick is not None:
                tick()

    def cancel(self, *jobs: JobId) -> list[m.Verdict]:
        """End these jobs; the verdicts that the broker says within CANCEL_S."""
        follow = Follow(monotonic())
        for job in jobs:
            follow.add(m.Wait(job=job), monotonic())
        self.send(*(m.Cancel(job=job) for job in jobs))
        with contextlib.suppress(NoBroker):
            return [s for s in self.listen(follow, CANCEL_S) if isinstance(s, m.Verdict)]
        return []

    def _silent(self) -> NoBroker:
        pid = broker_shown(self._home)
        if not is_listening(self._home):
            return NoBroker("the node has ended", f"nobody listens on {self._home.socket} any more")
        return NoBroker(
            "the node does not answer",
            f"its broker (process {pid}) is there but silent",
            f"kill -CONT {pid}, or kill -KILL {pid} and then swarmctl up",
        )


def exit_code(verdict: m.Verdict) -> Exit:
    """The exit code that a verdict means."""
    nobody_tried = verdict.declined + verdict.lost == verdict.asked
    if verdict.outcome == "failed" and nobody_tried:
        return Exit.NO_ROOM
    codes = {"decided": Exit.DONE, "tied": Exit.NO_VERDICT, "expired": Exit.EXPIRED}
    return codes.get(verdict.outcome, Exit.FAILED)
