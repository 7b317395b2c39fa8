"""Answers -> tally -> verdict; when to stop. Pure: usable alone, needs only msgspec.

    tally = Tally(Rules(seats=8))
    tally.cast(Cast(seat=0, text="... so the answer is 42", finish="stop"))
    tally.judge().outcome            # PENDING, DECIDED or TIED

In reading order: `rules` (the values), `answers/` (text to canonical answer), `counts` (votes by
answer), `stopping` (when it may end), `tally` (one job's count).
"""

from broker.voting.answers import extract
from broker.voting.rules import ANSWER_TYPES, STOP_MODES, Cast, Judgement, Outcome, Rules
from broker.voting.tally import Tally

__all__ = [
    "ANSWER_TYPES", "STOP_MODES", "Cast", "Judgement", "Outcome", "Rules", "Tally", "extract",
]  # fmt: skip
