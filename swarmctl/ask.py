"""One job: put it, tell how the count goes, bring back its end. Shell."""

import sys
from time import monotonic

from protocol import messages as m
from protocol.ids import JobId, Seat
from swarmctl import render
from swarmctl.check import LOOK_S, Tries
from swarmctl.client import TICK_S, Client, refusal
from swarmctl.exits import NoBroker
from swarmctl.follow import Follow, Request
from swarmctl.out import Progress, ink, talk


class Interrupted(Exception):
    """The user ended the job; `verdict` is what the broker said of it, if it did in time."""

    def __init__(self, verdict: m.Verdict | None) -> None:
        super().__init__("interrupted")
        self.verdict = verdict


def ask(client: Client, submit: m.Submit, checker: Tries | None = None) -> m.Verdict:
    """Submit and wait; `checker` tries the votes of a job that is checked.

    Ctrl-C cancels the job and raises Interrupted; a second one leaves.
    """
    try:
        return _end(client, submit, checker)
    except KeyboardInterrupt:
        raise Interrupted(next(iter(client.cancel(submit.job)), None)) from None
    except NoBroker as error:
        raise NoBroker(
            error.seen, error.because, f"{error.hint}; then swarmctl jobs wait {submit.job}"
        ) from None


def wait(client: Client, job: m.Wait, timeout_s: float | None = None) -> m.Verdict | None:
    """Wait for a job of anybody's; Ctrl-C leaves it alone. None when the time is over."""
    return _heard(client, job, timeout_s)


def put(client: Client, submit: m.Submit) -> m.Accepted:
    """Submit and return once the job is the broker's."""
    follow = Follow(monotonic())
    client.send(*follow.add(submit, monotonic()))
    for said in client.listen(follow):
        if isinstance(said, m.Accepted):
            return said
        if isinstance(said, m.Rejected):
            raise refusal(said.problem)
    raise AssertionError("a job ended that was never accepted")


def _end(client: Client, submit: m.Submit, checker: Tries | None) -> m.Verdict:
    verdict = _heard(client, submit, None, checker)
    assert verdict is not None, "listening ended before the job did"
    return verdict


def _heard(
    client: Client, request: Request, timeout_s: float | None, checker: Tries | None = None
) -> m.Verdict | None:
    follow = Follow(monotonic())
    client.send(*follow.add(request, monotonic()))
    told: set[Seat] = set()

    def tick() -> None:
        progress.tick()
        if checker is not None:
            _try(client, request.job, checker, progress)

    tick_s = TICK_S if checker is None else LOOK_S
    with Progress("waiting for the first vote") as progress:
        for said in client.listen(follow, timeout_s, tick, tick_s):
            match said:
                case m.Rejected():
                    raise refusal(said.problem)
                case m.Progress():
                    if checker is not None:
                        checker.add(said)
                    if said.vote.seat not in told and _is_told(checker):
                        progress.clear()
                        talk(render.progress(said, ink(sys.stderr)))
                    told.add(said.vote.seat)
                    progress.say(f"{said.cast} of {said.asked} votes are in")
                case m.Verdict():
                    progress.clear()
                    if request.watch and _is_told(checker):
                        _rest(said, told)
                    return said
    return None


def _is_told(checker: Tries | None) -> bool:
    """Whether somebody reads of votes as they come: else they come for the checker alone."""
    return checker is None or checker.told


def _try(client: Client, job: JobId, checker: Tries, progress: Progress) -> None:
    """Say what came of the candidates that were tried since the last look."""
    for tried in checker.poll():
        client.send(m.Checked(job, tried.seat, tried.passed, tried.stopped))
        if checker.told:
            progress.clear()
            talk(render.tried(tried.seat, tried.passed, tried.why, ink(sys.stderr)))


def _rest(verdict: m.Verdict, told: set[Seat]) -> None:
    """The votes that came with the verdict: the deciding one, and those beside it."""
    for vote in verdict.votes:
        if vote.seat not in told:
            talk(render.vote(vote, ink(sys.stderr)))
