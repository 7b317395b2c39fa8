"""What `--json` prints: shapes that scripts rely on (CLI.md). Fields are only added. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from protocol import messages as m
from protocol.errors import Problem

SCHEMA = 1

Record = dict[str, Any]


def line(record: Record) -> str:
    """One line, `schema` first."""
    return msgspec.json.encode({"schema": SCHEMA, **record}).decode()


def verdict(v: m.Verdict) -> Record:
    """A job's end. `text` is what the winner's voter wrote, whole."""
    return {
        "job": v.job,
        "outcome": v.outcome,
        "answer": v.answer,
        "text": winner_text(v),
        "agreement": v.agreement,
        "margin": v.margin,
        "confidence": v.confidence,
        "asked": v.asked,
        "cast": v.cast,
        "abstained": v.abstained,
        "declined": v.declined,
        "lost": v.lost,
        "cancelled": v.cancelled,
        "tried": v.tried,
        "passed": v.passed,
        "stopped": v.stopped,
        "tokens": v.tokens,
        "tokens_cancelled": v.tokens_cancelled,
        "time_s": v.time_s,
        "answer_type": v.answer_type,
        "mode": v.mode,
        "notes": v.notes,
        "votes": [vote(record) for record in v.votes],
    }


def winner_text(v: m.Verdict) -> str | None:
    """The text that stands for the answer; None when there is no winner."""
    return next((record.text for record in v.votes if record.seat == v.winner), None)


def vote(v: m.VoteRecord) -> Record:
    """One seat's answer; `answer` is null when it abstained."""
    return {
        "seat": v.seat,
        "seed": v.seed,
        "node": v.node,
        "worker": v.worker,
        "engine": v.engine,
        "model": v.model,
        "digest": v.digest,
        "answer": v.answer,
        "text": v.text,
        "finish": v.finish,
        "prompt_tokens": v.prompt_tokens,
        "tokens": v.tokens,
        "time_s": v.time_s,
    }


def refused(problem: Problem) -> Record:
    """A question of a file that the broker would not take, in the place of its verdict."""
    return {
        "job": None,
        "outcome": "failed",
        "answer": None,
        "text": None,
        "stopped": problem.seen,
        "error": _plain(problem),
        "votes": [],
    }


def status(r: m.NodeReport) -> Record:
    """The node now."""
    return {
        "node": _plain(r.node),
        "draining": r.draining,
        "notes": r.notes,
        "jobs": _plain(r.jobs),
        "workers": _plain(r.workers),
        "peers": _plain(r.peers),
    }


def workers(r: m.NodeReport) -> Record:
    """The workers alone."""
    return {"workers": _plain(r.workers)}


def jobs(listed: m.JobList) -> Record:
    """The newest jobs first; `more` were left out."""
    return {"jobs": _plain(listed.jobs), "more": listed.more}


def models(rows: Sequence[m.ModelReport], confidence: Sequence[m.ConfidenceRow]) -> Record:
    """Models that are here, then those that only past votes know; what shares are worth here."""
    return {"models": _plain(list(rows)), "confidence": _plain(list(confidence))}


def job(r: m.JobReport) -> Record:
    """One job's life: what was asked, each seat, and the verdict if there is one."""
    question = _plain(r.submit)
    del question["job"], question["watch"]
    return {
        "job": r.job,
        "state": r.state,
        "question": question,
        "seats": _plain(r.seats),
        "verdict": verdict(r.verdict) if r.verdict else None,
    }


def _plain(value: Any) -> Any:
    """Structs as objects with every field, defaults too: a script needs no `if present`."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def accepted(a: m.Accepted) -> Record:
    """A job that goes on without its client."""
    return {"job": a.job, "asked": a.asked, "seed": a.seed, "notes": a.notes}
