"""What a broker tells of a job while it is counted."""

from broker.job import Job
from broker.reports import progress
from broker.voting import Cast
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId

WEIGHTS = {"big": 3.0, "small": 1.0}


def voted(*votes: tuple[str, str]) -> m.Progress:
    """What is told with the last of these votes, each a model and its answer."""
    job = Job(m.Submit(JobId("j"), "Which?", votes=5, answer="label"), 5, 1, 0.0, WEIGHTS)
    job.open_seats()
    told = None
    for number, (digest, answer) in enumerate(votes):
        seat = job.seats[number]
        job.pending.remove(seat)
        job.give(seat, WorkerId("w"), 0.0)
        vote = m.VoteRecord(
            Seat(number), 1, "here", WorkerId("w"), "e", digest, digest, answer, "stop", 1, 1, 1.0
        )
        job.count(seat, Cast(number, answer, "stop", digest), 1.0)
        seat.vote = vote
        told = progress(job, vote)
    assert told is not None
    return told


def test_the_leaders_votes_are_counted_and_not_weighed() -> None:
    told = voted(("big", "x"), ("small", "y"), ("small", "z"))
    assert (told.leader, told.leader_votes, told.cast) == ("x", 1, 3)


def test_a_leader_by_weight_may_have_fewer_votes_than_the_second() -> None:
    told = voted(("small", "y"), ("small", "y"), ("big", "x"))
    assert (told.leader, told.leader_votes) == ("x", 1)


def test_without_an_answer_nobody_leads() -> None:
    told = voted(("big", ""))
    assert (told.leader, told.leader_votes, told.cast) == (None, 0, 0)
