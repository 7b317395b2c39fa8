"""Which jobs a client waits for, and what to say again after silence. Pure.

A repeated SUBMIT or WAIT changes nothing (protocol.messages), so silence is always answered by
saying it again: after a reconnect, after a broker's restart, after a lost frame.
"""

import msgspec

from protocol import messages as m
from protocol.errors import Code
from protocol.ids import JobId

PROBE_S = 2.0
"""Silence after which the broker is asked again. It answers within a turn of its loop, so this is
long; shorter would only trouble it while a slow model thinks."""

GIVE_UP_S = 10.0
"""Silence after which there is no broker: five probes, and time for a service to restart it."""

Request = m.Submit | m.Wait


class _Open(msgspec.Struct):
    request: Request
    accepted: bool = False


class Follow:
    """The open jobs of one conversation. `heard` returns what there is to say to the broker."""

    def __init__(self, now: float) -> None:
        self._open: dict[JobId, _Open] = {}
        self._heard_at = self._probed_at = now

    @property
    def jobs(self) -> list[JobId]:
        """The jobs without an end, in the order they were added."""
        return list(self._open)

    def add(self, request: Request, now: float) -> list[m.Message]:
        """Wait for one more job. The silence before it does not count against the broker."""
        if not self._open:
            self._heard_at = now
        self._probed_at = now
        self._open[request.job] = _Open(request)
        return [request]

    def heard(self, said: m.Message, now: float) -> tuple[list[m.Message], list[m.Message]]:
        """What to say to the broker now, and what to pass on: progress, and each job's one end."""
        self._heard_at = now
        match said:
            case m.Accepted(job=job) if job in self._open and not self._open[job].accepted:
                self._open[job].accepted = True
                return [], [said]
            case m.Progress(job=job) if job in self._open:
                return [], [said]
            case m.Verdict(job=job) if job in self._open:
                del self._open[job]
                return [], [said]
            case m.Rejected():
                return self._rejected(said)
        return [], []

    def _rejected(self, said: m.Rejected) -> tuple[list[m.Message], list[m.Message]]:
        job = said.job or (self.jobs[0] if len(self._open) == 1 else JobId(""))
        if job not in self._open:
            return [], []
        entry = self._open[job]
        if entry.accepted and said.problem.code == Code.NOT_FOUND:
            entry.accepted = False  # a broker that was restarted and does not know it any more
            return [entry.request], []
        del self._open[job]
        return [], [msgspec.structs.replace(said, job=job)]

    def due_s(self, now: float) -> float:
        """How long to listen before `repeat` has something to say."""
        return max(0.0, max(self._heard_at, self._probed_at) + PROBE_S - now)

    def repeat(self, now: float) -> list[m.Message]:
        """What to say after silence: each job again, and a question that is always answered."""
        if self.due_s(now) > 0:
            return []
        self._probed_at = now
        return [m.Status(), *(_again(entry) for entry in self._open.values())]

    def is_silent(self, now: float) -> bool:
        """Whether the broker has said nothing for too long."""
        return now - self._heard_at >= GIVE_UP_S


def _again(entry: _Open) -> m.Message:
    request = entry.request
    if entry.accepted and isinstance(request, m.Submit):
        return m.Wait(job=request.job, watch=request.watch)  # the prompt need not travel again
    return request
