"""What `swarmctl eval` found, as text for people and as JSON. Pure."""

from typing import Any

import msgspec

from broker.voting.evaluate import Evaluation, Figures
from swarmctl.text import PLAIN, Ink, plural, seconds, table

HEAD = (
    "OF", "QUESTIONS", "ONE SAMPLE", "VOTE", "GAIN", "95% INTERVAL", "NO VERDICT", "TOKENS", "TIME",
)  # fmt: skip
MODEL_HEAD = ("MODEL", "VOTES", "RIGHT", "TOKENS")
CURVE_HEAD = ("SEATS", "RIGHT", "95% INTERVAL")


def evaluation(found: Evaluation, columns: int | None, ink: Ink = PLAIN) -> str:
    """Three tables: the vote against one sample, each model alone, accuracy against seats."""
    rows = [_row("all", found.all)]
    rows += [_row(kind, figures) for kind, figures in found.kinds.items()]
    if found.weighted:
        rows.append(_row("weighted", found.weighted))
    models = [
        (model.model, str(model.votes), f"{model.right:.1%}", _tokens(model.tokens))
        for model in found.models
    ]
    curve = [
        (str(p.seats), f"{p.accuracy:.1%}", f"{p.low:.1%} to {p.high:.1%}") for p in found.curve
    ]
    texts = [
        table(HEAD, rows, columns).split("\n", 1),
        table(MODEL_HEAD, models, columns).split("\n", 1),
        table(CURVE_HEAD, curve, columns).split("\n", 1),
    ]
    return "\n\n".join(f"{ink.dim(head)}\n{rest}" for head, rest in texts)


def _row(name: str, f: Figures) -> tuple[str, ...]:
    return (
        name,
        str(f.questions),
        f"{f.one:.1%}",
        f"{f.vote:.1%}",
        f"{100 * f.gain:+.1f}",
        f"{100 * f.low:+.1f} to {100 * f.high:+.1f}",
        str(f.undecided),
        f"{_tokens(f.tokens_one)} -> {_tokens(f.tokens_vote)}",
        f"{_time(f.time_one_s)} -> {_time(f.time_vote_s)}",
    )


def _tokens(value: float) -> str:
    """As `_time`: no vote has none."""
    return f"{value:.0f}" if value else "-"


def _time(value: float) -> str:
    """Unknown, as of votes on record without it, is a dash."""
    return seconds(value or None)


QUESTIONS_MIN = 10
"""With fewer no interval is worth its name: resampling sees only the few that there are."""


def conclusion(found: Evaluation) -> str:
    """In a sentence: does the vote help here?"""
    f = found.all
    points = f"{100 * f.gain:+.1f} points, 95% sure of {100 * f.low:+.1f} to {100 * f.high:+.1f}"
    where = f"on these {plural(f.questions, 'question')}"
    if f.questions < QUESTIONS_MIN:
        told = f"{plural(f.questions, 'question')} cannot tell: {100 * f.gain:+.1f} points on these"
    elif f.low > 0:
        told = f"the vote is right more often than one sample {where}: {points}"
    elif f.high < 0:
        told = f"the vote is right less often than one sample {where}: {points}"
    else:
        told = f"no difference is shown {where}: {points}; more questions would tell"
    if len(found.models) < 2:
        return told
    best = found.models[0]
    return f"{told}\nthe best model alone, {best.model}, is right {best.right:.1%} of the time"


def record(found: Evaluation, refused: int) -> dict[str, Any]:
    """For `--json`: accuracies 0 to 1, tokens and seconds for a question."""
    return {**msgspec.to_builtins(found), "refused": refused}
