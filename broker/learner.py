"""Beside the loop: learning in a thread, and the file of past votes. Shell.

The file is no journal: nothing that anybody was promised depends on it. It is replaced whole, so a
kill leaves the old one or the new one; one that cannot be read is as good as none.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from broker.events import KeepPast, Learn, Learned
from broker.reliability import Past
from broker.voting.weights import learn

FILE = "reliability.mpk"
"""In the node's state folder. It holds no prompt and no answer: who agreed with whom, and how often
verdicts on questions with known answers were right."""

FILE_BYTES_MAX = 16 << 20
"""Far above ten answer types with a thousand jobs of 66 votes each."""


class Learner:
    """At most one thread; what it has learned waits in `done` until the loop takes it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._done: deque[Learned] = deque(maxlen=1)  # the core asks for one at a time
        self.wake: Callable[[], object] = lambda: None

    def load(self) -> Past | None:
        """What the last broker kept; None when there is nothing that can be used."""
        try:
            if self._path.stat().st_size > FILE_BYTES_MAX:
                return None
            past = msgspec.msgpack.decode(self._path.read_bytes(), type=Past)
        except (OSError, ValueError):
            return None
        return past if sound(past) else None

    def perform(self, asked: Learn | KeepPast) -> None:
        """Do what the core asks; `wake` is called when something has been learned."""
        if isinstance(asked, KeepPast):
            self._keep(asked.past)
        else:
            threading.Thread(target=self._learn, args=(asked,), daemon=True).start()

    def _keep(self, past: Past) -> None:
        """Replace the file. A disk that is full costs what it held, and is said on stderr."""
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(msgspec.msgpack.encode(past))
            new.replace(self._path)
        except OSError as error:
            print(f"note: past votes could not be kept: {error}", file=sys.stderr)

    def _learn(self, asked: Learn) -> None:
        self._done.append(Learned(asked.kind, learn(asked.jobs)))
        self.wake()

    def take(self) -> list[Learned]:
        """What has been learned since the last look."""
        return [self._done.popleft()] if self._done else []


def sound(past: Past) -> bool:
    """Whether its numbers fit together: it is a file, and anybody may have written it."""
    count = len(past.digests)
    if len(past.models) != count or len(set(past.digests)) != count:
        return False
    votes = (vote for jobs in past.jobs.values() for job in jobs for vote in job)
    grades = [grade for kept in past.grades.values() for grade in kept]
    voters = {digest for grade in grades for digest in grade.voters}
    return (
        all(0 <= voter < count and answer >= 0 for voter, answer in votes)
        and voters <= set(past.digests)
        and all(0 <= grade.share <= 1 and grade.cast > 0 for grade in grades)
    )
