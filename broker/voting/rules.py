"""What a vote is counted by, what is counted, and what the count says: values only."""

import enum
import math

import msgspec

SEATS_MAX = 64
"""Seats of one job before the extra ones of a tie: accuracy gains end near 40 votes
(Wang et al. 2022, arXiv 2203.11171, figure 2)."""

TIE_SEATS = 2
"""Seats drawn once more when the budget ends in a tie: an even budget becomes one that can differ
by two, and an odd one has a third answer to thank for its tie."""

ANSWER_TYPES = (
    "auto", "number", "choice", "json", "code", "text", "label", "latex", "literal", "tool",
)  # fmt: skip

STOP_MODES = ("fast", "saving", "all")
"""fast: all seats at once, the rest cancelled when the leader cannot be overtaken.
saving: in waves, the next only when the one before left it undecided. all: wait for every seat."""


class Outcome(enum.StrEnum):
    """What the count says: three values, as a quorum has (etcd-io/raft, quorum/majority.go)."""

    PENDING = "pending"
    DECIDED = "decided"
    TIED = "tied"


class Rules(msgspec.Struct, frozen=True):
    """How one job is counted."""

    seats: int  # asked for, 1 to SEATS_MAX
    answer: str = "auto"  # one of ANSWER_TYPES
    choices: tuple[str, ...] = ()  # the answers allowed
    schema: str = ""  # JSON Schema that an answer must fit (see answers.schema); empty: none
    prompt: str = ""  # `auto` looks at its end
    stop: str = "fast"  # one of STOP_MODES
    min_agreement: float = 0.0  # share of the votes cast, 0 to 1; below it there is no verdict
    weights: dict[str, float] = {}  # voter -> weight of its vote, at least 0; empty: one each
    wave: int = (
        0  # seats of one wave under `saving`, 1: one at a time; 0: about half, then the rest
    )
    tie_seats: int = TIE_SEATS  # drawn once when the seats end in a tie

    def __post_init__(self) -> None:
        if not 1 <= self.seats <= SEATS_MAX:
            raise ValueError(f"seats is {self.seats}, wanted 1 to {SEATS_MAX}")
        if self.answer not in ANSWER_TYPES:
            raise ValueError(f"answer is {self.answer!r}, wanted one of {', '.join(ANSWER_TYPES)}")
        if self.stop not in STOP_MODES:
            raise ValueError(f"stop is {self.stop!r}, wanted one of {', '.join(STOP_MODES)}")
        if not 0.0 <= self.min_agreement <= 1.0:
            raise ValueError(f"min_agreement is {self.min_agreement}, wanted 0 to 1")
        if self.weights and not all(0 <= w < math.inf for w in self.weights.values()):
            raise ValueError("a weight is below 0, infinite or no number")
        if self.wave < 0 or self.tie_seats < 0:
            raise ValueError(f"wave is {self.wave}, tie_seats {self.tie_seats}, wanted 0 or more")


class Cast(msgspec.Struct, frozen=True):
    """What one seat answered."""

    seat: int
    text: str
    finish: str  # stop, length, cancelled or error; only "stop" can be counted
    voter: str = ""  # digest of the model that answered


class Judgement(msgspec.Struct, frozen=True):
    """What the count says now. Before the end, the leader stands where the winner will."""

    outcome: Outcome
    reason: str = ""  # why it ended, in words
    winner: int | None = None  # seat whose text stands for the answer
    answer: str | None = None  # canonical
    agreement: float = 0.0  # the winner's share of the votes cast, by weight where votes have one
    margin: int = 0  # votes of the winner less those of the second
    cast: int = 0  # votes that the agreement is a share of; 0: it says nothing of being right
    votes: dict[str, int] = {}  # votes by canonical answer, in order of arrival
    answer_type: str = ""  # as counted: "auto" is replaced by what was found
    confidence: float | None = None  # calibrated probability that the answer is right
    mode: str = ""  # the stop mode
