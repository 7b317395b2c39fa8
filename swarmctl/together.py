"""Votes that can only be judged side by side, when all are in. Shell.

It stands where a user's own check would: it waits for every vote, thinks in a thread beside the
conversation, and passes the ones that won.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import msgspec

from protocol import messages as m
from protocol.ids import Seat
from swarmctl.check import Tried

LEAVE_S = 3.0
"""How long an interrupted command waits for the thread to take back what it asked for."""


class Together(ABC):
    """A checker for `swarmctl.ask`."""

    answer: str  # the answer type that it judges

    def __init__(self) -> None:
        self.told = False
        self._votes: dict[Seat, m.Progress] = {}
        self._last: m.Progress | None = None  # with no seat out: what the count would take
        self._thread: threading.Thread | None = None
        self._passed: frozenset[Seat] = frozenset()
        self._sentence = ""
        self._ready = threading.Event()
        self._left = threading.Event()
        self._said: set[Seat] = set()

    @abstractmethod
    def choose(self, votes: list[m.Progress], leader: str | None) -> tuple[tuple[int, ...], str]:
        """The votes that win, by number, and a sentence for the verdict. Runs in a thread.

        `leader`: the answer that the count would take.
        """

    def put(self, job: m.Submit) -> m.Submit:
        """The job with every vote waited for."""
        return msgspec.structs.replace(
            job, checked=True, watch=True, answer=self.answer, stop="all", min_agreement=0.0
        )

    def add(self, told: m.Progress) -> None:
        """Take a vote; the last one starts the judging. Told again: the result is said again."""
        if told.vote.answer is not None:
            self._votes[told.vote.seat] = told
            self._said.discard(told.vote.seat)
        if told.out == 0:
            self._last = told

    def poll(self) -> Iterator[Tried]:
        """What there is to say of votes by now."""
        if self._last is not None and self._votes and self._thread is None:
            self._thread = threading.Thread(target=self._judge, args=(self._last,), daemon=True)
            self._thread.start()
        if not self._ready.is_set():
            return
        for seat in sorted(self._votes.keys() - self._said):
            self._said.add(seat)
            yield Tried(seat, seat in self._passed, "", self._sentence)

    def _judge(self, last: m.Progress) -> None:
        votes = [self._votes[seat] for seat in sorted(self._votes)]
        try:
            chosen, self._sentence = self.choose(votes, last.leader)
            self._passed = frozenset(votes[number].vote.seat for number in chosen)
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Whatever still runs is told to end, and given a moment to."""
        self._left.set()
        if self._thread is not None and not self._ready.is_set():
            self._thread.join(LEAVE_S)
