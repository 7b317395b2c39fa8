"""Voters and clients that say what they must not: each takes the node and the entry."""

from broker import events as ev
from protocol import messages as m
from protocol.ids import JobId, Seat
from protocol.limits import TEXT_BYTES_MAX
from tests.simulation.script import Entry
from tests.simulation.virtual_node import Node

Said = m.FromWorker


def vote_repeated(node: Node, entry: Entry) -> None:
    """A vote that was said is said again, by the same voter."""
    if votes := list(node.oracle.votes):
        route, vote = votes[-1 - entry.n % len(votes)]
        _say(node, route, vote)


def vote_repeated_by_another(node: Node, entry: Entry) -> None:
    """A vote that was said is said again, by another voter."""
    if votes := list(node.oracle.votes):
        _, vote = votes[-1 - entry.n % len(votes)]
        _from_worker(node, entry, vote)


def vote_of_another_attempt(node: Node, entry: Entry) -> None:
    """An answer to a ballot that was not sent, or that was taken back."""
    if ballots := list(node.oracle.ballots):
        route, job, seat = ballots[-1 - entry.n % len(ballots)]
        attempt = seat.attempt + (1 if entry.n % 2 else -1)
        _say(node, route, _vote(job, seat.seat, attempt))


def vote_for_anothers_seat(node: Node, entry: Entry) -> None:
    """An answer to a ballot that somebody else was sent."""
    if ballots := list(node.oracle.ballots):
        _, job, seat = ballots[-1 - entry.n % len(ballots)]
        _from_worker(node, entry, _vote(job, seat.seat, seat.attempt))


def vote_never_asked_for(node: Node, entry: Entry) -> None:
    """An answer for a seat, or a job, that does not exist."""
    jobs = [*node.oracle.attempted, JobId("nothing")]
    job = jobs[-1 - entry.n % len(jobs)]
    _from_worker(node, entry, _vote(job, Seat(entry.n % 70 - 2), 1))


def vote_made_up(node: Node, entry: Entry) -> None:
    """A voter answers its own ballot with anything; it counts, and the true vote comes too."""
    if ballots := list(node.oracle.ballots):
        route, job, seat = ballots[-1 - entry.n % len(ballots)]
        _say(node, route, _vote(job, seat.seat, seat.attempt))


def vote_far_too_long(node: Node, entry: Entry) -> None:
    """An answer longer than a vote may be."""
    if ballots := list(node.oracle.ballots):
        route, job, seat = ballots[-1]
        text = "x" * (TEXT_BYTES_MAX + 1)
        _say(node, route, m.Vote(job, seat.seat, seat.attempt, text, "stop", 1, 1))


def vote_by_a_client(node: Node, entry: Entry) -> None:
    """One who never was a worker votes."""
    if ballots := list(node.oracle.ballots):
        _, job, seat = ballots[-1 - entry.n % len(ballots)]
        node.client(entry.who).say(_vote(job, seat.seat, seat.attempt))


def refuse_anothers_seat(node: Node, entry: Entry) -> None:
    """DECLINE and ABSTAIN for a ballot, by its voter or by another one."""
    if ballots := list(node.oracle.ballots):
        _, job, seat = ballots[-1 - entry.n % len(ballots)]
        if entry.n % 2:
            _from_worker(node, entry, m.Abstain(job, seat.seat, seat.attempt, "a lie"))
        else:
            _from_worker(node, entry, m.Decline(job, seat.seat, seat.attempt, "a lie"))


def ready_again(node: Node, entry: Entry) -> None:
    """A worker introduces itself without being asked, perhaps under another's name."""
    worker, other = node.worker(entry.who), node.worker(entry.n)
    if worker and worker.core and other:
        worker.link.send((m.Ready(
            other.name, worker.pid, "scripted", "1", "m", "d", 1 + entry.n % 3, 64
        ),))  # fmt: skip


def nonsense(node: Node, entry: Entry) -> None:
    """Bytes that are no frame, or a newer node's message."""
    routes = list(node.broker.routes)
    if routes and node.broker.core is not None:
        say = "FUTURE" if entry.n % 2 else ""
        node.broker.tell(ev.Nonsense(routes[entry.who % len(routes)], say))


def _vote(job: JobId, seat: Seat, attempt: int) -> m.Vote:
    return m.Vote(job, seat, attempt, "#### 2", "stop", 3, 4)


def _say(node: Node, route: bytes, said: Said) -> None:
    """Over the connection of this route, if it is still there."""
    link = node.broker.routes.get(route)
    if link is not None and link.route == route:
        link.send((said,))


def _from_worker(node: Node, entry: Entry, said: Said) -> None:
    worker = node.worker(entry.who)
    if worker and worker.core:
        worker.link.send((said,))
