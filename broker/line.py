"""Jobs that wait for seats, fair between clients: they take turns, and go first in, first out."""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain, islice, zip_longest

from broker.events import Route
from broker.job import Job
from protocol.ids import JobId


class Line:
    """The jobs that ask for one model. Every move costs the same, however many wait."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: OrderedDict[Route, OrderedDict[JobId, Job]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def __iter__(self) -> Iterator[JobId]:
        return chain.from_iterable(self._turns.values())

    def __contains__(self, job: Job) -> bool:
        return job.id in self._turns.get(job.client, ())

    def join(self, job: Job, first: bool) -> None:
        """Wait behind the client's other jobs; `first`: before every job of the line."""
        own = self._turns.get(job.client)
        if own is None:
            own = self._turns[job.client] = OrderedDict()
        own[job.id] = job
        if first:
            own.move_to_end(job.id, last=False)
            self._turns.move_to_end(job.client, last=False)

    def leave(self, job: Job, served: bool) -> None:
        """Wait no longer. `served`: it was this client's turn, and now it is the next one's."""
        own = self._turns.get(job.client)
        if own is None or own.pop(job.id, None) is None:
            return
        if not own:
            del self._turns[job.client]
        elif served:
            self._turns.move_to_end(job.client)

    def first(self, count: int) -> list[Job]:
        """Who is next, in order: of each client its first, then of each its second, and so on."""
        if len(self._turns) == 1:
            return list(islice(next(iter(self._turns.values())).values(), count))
        each = [islice(own.values(), count) for own in islice(self._turns.values(), count)]
        in_turn = chain.from_iterable(zip_longest(*each))
        return list(islice((job for job in in_turn if job is not None), count))
