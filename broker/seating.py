"""Which voter gets a seat: one with the model, the shortest wait, and the most speed.

A pure choice over facts. A free slot anywhere comes before a place in any voter's line; among
equals the load is spread by share of slots, then the faster voter is taken.
"""

from broker.job import Job
from broker.roster import Roster, Voter, matches


def eligible(job: Job, free: list[Voter], roster: Roster) -> list[Voter]:
    """Those of the free voters that may be given a seat of this job.

    At temperature 0 every seat of one model file is the same vote (DESIGN 5.3), so a file that
    has a seat of the job gets no second one.
    """
    able = free
    if job.submit.model or job.refusals:
        able = [v for v in free if matches(v, job.submit.model) and v.id not in job.refusals]
    if job.submit.temperature > 0:
        return able
    taken = {seat.vote.digest for seat in job.seats if seat.vote}
    taken |= {
        roster.by_id[seat.voter].ready.digest
        for seat in job.seats
        if seat.state == "open" and seat.voter
    }
    return [v for v in able if v.ready.digest not in taken]


def preferred(job: Job, able: list[Voter]) -> list[Voter]:
    """Of those that may be given the next seat, the ones to give it to.

    The first seats go to everybody. Those that a further wave or a tie asks for are worth most with
    the best models, or near them (facts in docs/VOTING.md), if one of these has room.
    """
    if not job.leaders or job.pending[0].number < job.first:
        return able
    return [voter for voter in able if voter.ready.digest in job.leaders] or able


def choose(able: list[Voter]) -> Voter | None:
    """The voter with the shortest expected wait; None when there is none."""
    if len(able) == 1:
        return able[0]
    return min(able, key=_wait, default=None)


def _wait(voter: Voter) -> tuple[bool, float, float, str]:
    slots, held = voter.ready.slots, len(voter.open)
    return held >= slots, (held + 1) / slots, -(voter.tokens_per_s or 0.0), voter.id
