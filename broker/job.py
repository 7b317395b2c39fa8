"""One job's life: its seats, its count, its verdict.

a job    waiting -> voting -> done            waiting: none of its seats is out
a seat   waiting -> open -> voted | abstained | cancelled
             ^________|     lost or declined: given elsewhere, with the same seed
         waiting -> declined | lost | cancelled           nobody left to give it to
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from broker.admission import chars_of
from broker.checks import Checks
from broker.seeds import seed_of
from broker.voting import Cast, Judgement, Rules, Tally
from broker.voting.answers.auto import of_prompt
from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId

EQUAL: Mapping[str, float] = MappingProxyType({})
"""Each vote weighs one."""

SEAT_MOVES: dict[m.SeatState, frozenset[m.SeatState]] = {
    "waiting": frozenset({"open", "declined", "lost", "cancelled"}),
    "open": frozenset({"waiting", "voted", "abstained", "cancelled"}),
}
"""Every move a seat may make; any other is our bug."""


class Standing(msgspec.Struct, frozen=True):
    """How clearly a verdict was decided, where that says how far to trust it."""

    kind: str  # answer type
    share: float  # of the votes, by weight
    cast: int
    voters: frozenset[str]  # digests of the models that voted


class SeatLife(msgspec.Struct):
    """One seat: demand for one vote."""

    number: Seat
    seed: int
    state: m.SeatState = "waiting"
    attempt: int = 0  # counts the ballots it was on
    voter: WorkerId | None = None
    seated_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    vote: m.VoteRecord | None = None

    def move(self, state: m.SeatState) -> None:
        """Change state; only along SEAT_MOVES."""
        assert state in SEAT_MOVES[self.state], (self.number, self.state, state)
        self.state = state


class Job:
    """A question, the seats it wants, and the count of what came back."""

    __slots__ = (
        "_tally",
        "accepted_at",
        "asked",
        "bytes",
        "checks",
        "choosy",
        "client",
        "deadline_at",
        "deaths",
        "first",
        "id",
        "leaders",
        "listeners",
        "notes",
        "pending",
        "prompt_bytes",
        "refusals",
        "running_tokens",
        "seats",
        "seed",
        "standing",
        "submit",
        "verdict",
        "weights",
    )  # fmt: skip

    def __init__(
        self,
        submit: m.Submit,
        asked: int,
        seed: int,
        now: float,
        weights: Mapping[str, float] = EQUAL,
    ) -> None:
        """`weights`: of a vote, by model digest; empty: one each.

        Seats and count are made when the first seat is about to be given: of a job that waits,
        perhaps among thousands, little more than its question is held.
        """
        self.submit = submit
        self.client: bytes = b""  # the route of who put it; none after a restart
        self.choosy = False  # was passed over: it waits for voters that were not free
        self.id: JobId = submit.job  # the client's name for it
        self.prompt_bytes = chars_of(submit)  # memory of its texts, about
        self.bytes = self.prompt_bytes  # and of its votes, once there is a verdict
        self.asked = asked
        self.seed = seed
        self.leaders: frozenset[str] = frozenset()  # digests that further seats go to
        self.notes: tuple[str, ...] = ()
        self.accepted_at = now
        self.deadline_at = now + submit.timeout_s
        self.weights = weights
        self._tally: Tally | None = None
        self.checks = Checks(asked, submit.stop) if submit.checked else None
        self.first = 0  # seats of the first wave, once they are there
        self.seats: list[SeatLife] = []
        self.pending: list[SeatLife] = []  # a deque alone takes 600 bytes, in each of 10,000 jobs
        self.listeners: dict[bytes, bool] = {}  # route: wants PROGRESS
        self.refusals: dict[WorkerId, str] = {}  # voters that can never answer it, and why
        self.running_tokens: dict[WorkerId, int] = {}  # of open seats, as last reported
        self.deaths: list[str] = []  # voters that died while they held a seat of it
        self.verdict: m.Verdict | None = None
        self.standing: Standing | None = None  # of its verdict, until the broker ends

    @property
    def state(self) -> m.JobState:
        """Where it is in its life."""
        if self.verdict:
            return "done"
        return "voting" if any(seat.state != "waiting" for seat in self.seats) else "waiting"

    @property
    def tally(self) -> Tally:
        """The count, until there is a verdict."""
        if self._tally is None:
            assert self.verdict is None, "nothing is counted any more"
            self._tally = Tally(_rules(self.submit, self.asked, self.weights))
        return self._tally

    # ------------------------------------------------------------ seats

    @property
    def waits(self) -> bool:
        """Has it a seat to give?"""
        return self.verdict is None and (bool(self.pending) or not self.seats)

    @property
    def wanted(self) -> int:
        """Seats that should have been opened by now in total."""
        return self.checks.wanted if self.checks else self.tally.wanted

    @property
    def out(self) -> int:
        """Seats that may still be answered, those of later waves too."""
        ended = sum(seat.state not in SEAT_MOVES for seat in self.seats)
        return max(self.asked, len(self.seats)) - ended

    def open_seats(self) -> bool:
        """Create the seats that the count wants by now; True when there are new ones."""
        have = len(self.seats)
        for number in range(have, self.wanted):
            seat = SeatLife(Seat(number), seed_of(self.seed, number))
            self.seats.append(seat)
            self.pending.append(seat)
        self.first = self.first or len(self.seats)
        return len(self.seats) > have

    def give(self, seat: SeatLife, voter: WorkerId, now: float) -> m.BallotSeat:
        """Put this seat on a ballot for this voter."""
        seat.move("open")
        seat.attempt += 1
        seat.voter = voter
        seat.seated_at = now
        return m.BallotSeat(seat.number, seat.seed, seat.attempt)

    def take_back(self, seat: SeatLife, reason: str) -> None:
        """Its voter will not answer: the seat waits again, before the others, with its seed."""
        seat.move("waiting")
        seat.voter = None
        seat.reason = reason
        self.pending.insert(0, seat)

    def awaited(self, number: Seat, attempt: int, voter: WorkerId) -> SeatLife | None:
        """The open seat that this vote is for; None when it is late, repeated or not asked for."""
        if self.verdict or not 0 <= number < len(self.seats):
            return None
        seat = self.seats[number]
        if seat.state != "open" or seat.attempt != attempt or seat.voter != voter:
            return None
        return seat

    def count(self, seat: SeatLife, cast: Cast, now: float) -> str | None:
        """Count a vote; its answer, or None when its text held none. Then give it its `vote`."""
        answer = self.tally.cast(cast)
        seat.move("abstained" if answer is None else "voted")
        if self.checks and answer is None:
            self.checks.without()
        elif self.checks:
            self.checks.candidate(seat.number)
        seat.ended_at = now
        return answer

    def _read_again(self, seat: SeatLife, vote: m.VoteRecord) -> m.VoteRecord:
        """Give a vote the answer that the count took it for in the end.

        Not when it is cast: later votes can show that earlier ones were misread.
        """
        answer = self.tally.answer_of(seat.number)
        if answer != vote.answer:
            seat.state = "abstained" if answer is None else "voted"
            vote = seat.vote = msgspec.structs.replace(vote, answer=answer)
        return vote

    def give_up(self, seat: SeatLife, state: m.SeatState, reason: str, now: float) -> None:
        """This seat will never be answered."""
        seat.move(state)
        seat.reason = reason
        seat.ended_at = now
        self.tally.lose(seat.number)
        if self.checks:
            self.checks.without()

    def judge(self) -> Judgement:
        """Say what the count, or the check, says now. Changes nothing."""
        judged = self.tally.judge()
        if self.checks is None:
            return judged
        outcome, reason, winner = self.checks.judge()
        answer = None if winner is None else self.tally.answer_of(winner)
        votes = judged.votes.get(answer, 0) if answer is not None else 0
        others = [count for other, count in judged.votes.items() if other != answer]
        return msgspec.structs.replace(
            judged,
            outcome=outcome,
            reason=reason,
            winner=winner,
            answer=answer,
            agreement=votes / sum(judged.votes.values()) if votes else 0.0,
            margin=votes - max(others, default=0) if votes else 0,
            cast=0,
            confidence=None,
            mode=self.submit.stop,
        )

    # ------------------------------------------------------------ the end

    def end(self, outcome: m.Result, stopped: str, judged: Judgement, now: float) -> m.Verdict:
        """Close every seat and write the verdict; it never changes after this."""
        assert self.verdict is None, "a second verdict"
        votes, tokens_cancelled = self._close_seats(now)
        ended = [seat.state for seat in self.seats]
        unopened = max(0, self.asked - len(ended))
        self.pending.clear()
        self.verdict = m.Verdict(
            job=self.id,
            outcome=outcome,
            stopped=stopped,
            asked=len(ended) + unopened,
            cast=ended.count("voted"),
            abstained=ended.count("abstained"),
            declined=ended.count("declined"),
            lost=ended.count("lost"),
            cancelled=ended.count("cancelled") + unopened,
            answer=judged.answer,
            answer_type=judged.answer_type,
            mode=judged.mode,
            winner=None if judged.winner is None else Seat(judged.winner),
            agreement=judged.agreement,
            confidence=judged.confidence,
            margin=judged.margin,
            tokens=sum([vote.tokens for vote in votes]),
            tokens_cancelled=tokens_cancelled,
            time_s=now - self.accepted_at,
            votes=tuple(votes),
            notes=self.notes,
            tried=self.checks.tried if self.checks else 0,
            passed=self.checks.passed if self.checks else 0,
        )
        self.bytes += sum([len(vote.text) for vote in votes])
        self.let_go()
        return self.verdict

    def _close_seats(self, now: float) -> tuple[list[m.VoteRecord], int]:
        """End every seat; the votes, and the tokens of those that are stopped in mid-sentence."""
        votes = []
        cut = set()
        for seat in self.seats:
            if seat.state in SEAT_MOVES:
                if seat.state == "open":
                    cut.add(seat.voter)
                seat.move("cancelled")
                seat.ended_at = now
            elif seat.vote is not None:
                votes.append(self._read_again(seat, seat.vote))
        return votes, sum([self.running_tokens.get(voter, 0) for voter in cut if voter])

    def let_go(self) -> None:
        """Keep nothing of the count, which is over.

        To free it now, while it is at hand, takes a fraction of the time that it takes when the
        job is forgotten, thousands of jobs later.
        """
        self._tally = self.checks = None

    def check(self) -> None:
        """Assert what must always hold of one job."""
        assert len({seat.seed for seat in self.seats}) == len(self.seats), "a seed twice"
        waiting = [seat for seat in self.seats if seat.state == "waiting"]
        assert sorted(s.number for s in waiting) == sorted(s.number for s in self.pending)
        for seat in self.seats:
            assert (seat.voter is not None) or seat.state != "open", "open, but nowhere"
            assert (seat.vote is not None) or seat.state != "voted", "voted without a vote"
        if self.verdict:
            ended = self.verdict
            parts = ended.cast + ended.abstained + ended.declined + ended.lost + ended.cancelled
            assert parts == ended.asked, "k of n does not add up"
            assert not waiting, "a seat waits for a job that is over"


def _rules(submit: m.Submit, asked: int, weights: Mapping[str, float]) -> Rules:
    """How it is counted. What is checked is read once: a candidate stays what was tried."""
    answer, stop = submit.answer, submit.stop
    if submit.checked:
        if answer == "auto" and not submit.schema:
            answer = of_prompt(submit.prompt) or "text"
        stop = "all"
    return Rules(
        seats=asked,
        answer=answer,
        choices=submit.choices,
        schema=submit.schema,
        prompt=submit.prompt,
        stop=stop,
        min_agreement=submit.min_agreement,
        weights=dict(weights),
    )
