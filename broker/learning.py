"""When the node learns from its past votes, and what a new job gets of it."""

import msgspec

from broker.events import KeepPast, Learn, Learned
from broker.grades import grade_of
from broker.job import Job, Standing
from broker.state import State
from broker.voting import Judgement
from broker.voting.answers.auto import of_prompt
from broker.voting.answers.schema import Schema
from broker.voting.calibration import confidence
from broker.voting.calibration_table import SHIPPED
from protocol import messages as m

LEARN_S = 10.0
"""At least between two times of learning: it takes up to a second of one core, beside the loop."""

KEEP_JOBS = 20
"""Jobs after which the past is written again: so many a killed broker may forget."""

TOLD_OF = ((8, 8), (6, 8), (4, 8))
"""Votes for the winner, of all: the shares that `models info` tells the worth of."""


def weigh(state: State, said: m.Submit) -> tuple[dict[str, float], frozenset[str]]:
    """Weights of the models that may answer this, and those that its extra seats go to."""
    known = state.reliability
    if not known.learned:
        return {}, frozenset()
    kind = "choice" if said.choices else said.answer
    if kind == "auto" and said.schema:
        kind = Schema(said.schema).answer_type
    elif kind == "auto":
        kind = of_prompt(said.prompt) or ""
    here = state.roster.digests(said.model)
    return known.weights(kind, here), known.leaders(kind, here)


def note_of(state: State, weights: dict[str, float]) -> str:
    """What the verdict says of it."""
    names = state.reliability.names
    told = ", ".join(f"{names[digest]} {weight:.2f}" for digest, weight in weights.items())
    return f"votes weigh by what past jobs showed of their models: {told}"


def note(state: State, job: Job) -> None:
    """Take in the votes of a job that has its verdict."""
    assert job.verdict is not None
    state.reliability.note(job.verdict)
    if state.reliability.unsaved >= KEEP_JOBS:
        keep(state)


def confident(state: State, job: Job, judged: Judgement) -> Judgement:
    """The judgement with what this node's own known answers make of its confidence."""
    if not judged.cast:
        return judged
    voters = frozenset(seat.vote.digest for seat in job.seats if seat.vote)
    job.standing = Standing(judged.answer_type, judged.agreement, judged.cast, voters)
    here = voters | state.roster.digests(job.submit.model)
    own = state.reliability.grades.own(judged.answer_type, here)
    told = confidence(judged.answer_type, judged.agreement, judged.cast, own=own)
    return msgspec.structs.replace(judged, confidence=told)


def grade(state: State, job: Job, right: bool) -> None:
    """Take in whether a job's verdict was right; one without a share to trust teaches nothing."""
    if job.standing is None:
        return
    assert job.verdict is not None
    told = grade_of(job.standing, job.submit, right)
    state.reliability.grade(job.standing.kind, job.verdict, told)
    if state.reliability.unsaved >= KEEP_JOBS:
        keep(state)


def keep(state: State) -> None:
    """Write down what would be forgotten."""
    if state.reliability.unsaved:
        state.out.append(KeepPast(state.reliability.past()))


def look(state: State, now: float) -> None:
    """Learn what is due."""
    if now < state.learn_at:
        return
    if due := state.reliability.due():
        state.learn_at = now + LEARN_S
        state.out.append(Learn(*due))


def learned(state: State, event: Learned) -> None:
    """From here on new jobs are counted so."""
    state.reliability.take(event.kind, event.reliability)


def models(state: State) -> m.ModelList:
    """The answer to MODELS: files that are here, then those that only past votes know."""
    here = {voter.ready.digest: voter.ready for voter in state.roster}
    known = [digest for digest in state.reliability.names if digest not in here]
    rows = []
    for digest in [*here, *known]:
        voters = [voter for voter in state.roster if voter.ready.digest == digest]
        rows.append(
            m.ModelReport(
                model=here[digest].model if voters else state.reliability.names[digest],
                digest=digest,
                engine=here[digest].engine if voters else "",
                workers=len(voters),
                slots=sum(voter.ready.slots for voter in voters),
                reliability=_record(state, digest, set(here)),
            )
        )
    return m.ModelList(tuple(rows), _confidence(state, frozenset(here)))


def _confidence(state: State, here: frozenset[str]) -> tuple[m.ConfidenceRow, ...]:
    grades = state.reliability.grades
    rows = []
    for kind in sorted({*SHIPPED, *grades.of}):
        own = grades.own(kind, here)
        told = tuple(
            (votes, of, confidence(kind, votes / of, of, own=own)) for votes, of in TOLD_OF
        )
        rows.append(m.ConfidenceRow(kind, len(grades.usable(kind, here)), own is not None, told))
    return tuple(rows)


def _record(state: State, digest: str, here: set[str]) -> tuple[m.ReliabilityRow, ...]:
    known = state.reliability
    return tuple(
        m.ReliabilityRow(
            answer_type=kind,
            jobs=known.jobs(kind, digest),
            reliability=known.of(kind).get(digest),
            weight=known.weights(kind, here | {digest}).get(digest),
        )
        for kind in known.kinds
    )
