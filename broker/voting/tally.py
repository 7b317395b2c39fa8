"""The count of one job: votes in, judgement out."""

import msgspec

from broker.voting.answers.auto import TypeFinder
from broker.voting.calibration import confidence
from broker.voting.counts import WEIGHT_UNIT, Counts
from broker.voting.fields import merge
from broker.voting.medoid import central
from broker.voting.rules import Cast, Judgement, Outcome, Rules
from broker.voting.stopping import one_by_one_lead, wave_lead, wave_size

UNCOUNTED = frozenset({"text", "code"})
"""Answer types whose votes may all differ and yet be answers."""


class Tally:
    """Mutable count of one job. A seat is cast or lost once; twice is a bug of the caller.

    The answer given most often wins: self-consistency (Wang et al. 2022, arXiv 2203.11171, section
    2). That the rest may stay away once the leader cannot be overtaken needs no statistics; when
    `saving` may end is in `stopping`.
    """

    __slots__ = (
        "_answers", "_casts", "_central", "_counts", "_cut", "_finder", "_heaviest", "_lost",
        "_total", "_typical", "_wanted", "_weights", "rules",
    )  # fmt: skip

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._total = rules.seats  # and rules.tie_seats more after a tie
        self._wanted = wave_size(rules.seats, rules.wave) if rules.stop == "saving" else rules.seats
        self._finder = TypeFinder(rules)
        self._casts: list[Cast] = []
        self._answers: dict[int, str | None] = {}  # by seat, of votes cast; None: abstained
        self._counts = Counts()
        self._lost: set[int] = set()
        self._central: tuple[int, str] | None = None  # of prose: seat, and why
        self._cut = 0  # abstained because the text was cut at its length
        self._weights: dict[str, int] = {}
        self._heaviest = 1  # what a seat still out may weigh
        self._typical = 1  # what a voter weighs that was not weighed yet
        if rules.weights:
            self._weigh(rules)
        if rules.wave:
            self._open_more()

    def _weigh(self, rules: Rules) -> None:
        self._weights = {v: max(1, round(w * WEIGHT_UNIT)) for v, w in rules.weights.items()}
        known = self._weights.values()
        self._heaviest = max(known)
        self._typical = sum(known) // len(known)

    # ------------------------------------------------------------ votes in

    def cast(self, cast: Cast) -> str | None:
        """Count one vote; its canonical answer, or None when it abstained."""
        self._check_new(cast.seat)
        self._casts.append(cast)
        if cast.finish != "stop":
            self._cut += cast.finish == "length"
            self._answers[cast.seat] = None
        elif self._finder.look(cast.text):
            self._recount()
        else:
            self._count(cast)
        self._open_more()
        return self._answers[cast.seat]

    def lose(self, seat: int) -> None:
        """Note that this seat will never answer."""
        self._check_new(seat)
        self._lost.add(seat)
        self._open_more()

    def answer_of(self, seat: int) -> str | None:
        """Canonical answer of a seat, as counted in the end; None: not cast, or abstained.

        With answer type "auto" it may differ from what `cast` returned: later votes can show that
        the first was misread, and then all are read again.
        """
        return self._answers.get(seat)

    def _check_new(self, seat: int) -> None:
        if seat in self._answers or seat in self._lost:
            raise ValueError(f"seat {seat} was cast or lost before")
        if not 0 <= seat < self._total:
            raise ValueError(f"seat {seat} is not among the {self._total} of this job")

    def _count(self, cast: Cast) -> None:
        answer = self._finder.read(cast.text)
        self._answers[cast.seat] = answer
        if answer is not None:
            self._counts.add(answer, cast.seat, self._weight(cast))

    def _weight(self, cast: Cast) -> int:
        return self._weights.get(cast.voter, self._typical)

    def _recount(self) -> None:
        self._counts = Counts()
        for cast in self._casts:
            if cast.finish == "stop":
                self._count(cast)

    # ------------------------------------------------------------ seats

    @property
    def wanted(self) -> int:
        """Seats that should have been opened by now in total; grows with waves and after a tie."""
        return self._wanted

    @property
    def _out(self) -> int:
        """Seats that may still be cast."""
        return self._total - len(self._answers) - len(self._lost)

    def _out_of_wave(self) -> int:
        done = len(self._answers) + len(self._lost)
        return max(0, self._wanted - done)

    def _open_more(self) -> None:
        """Open the next wave once it is sure that this one does not settle the vote."""
        if not self._out:
            if self._total == self.rules.seats and self._tied():
                self._total += self.rules.tie_seats
                self._wanted = self._total
            return
        while self._wanted < self.rules.seats and not self._may_settle():
            step = self.rules.wave or self.rules.seats  # of two waves the second is all the rest
            self._wanted = min(self.rules.seats, self._wanted + step)

    def _tied(self) -> bool:
        if self._finder.found in UNCOUNTED and not self._backed():
            return False  # they are not drawn again to see two say the same
        return len(self._counts.by_answer) > 1 and self._counts.lead == 0

    def _may_settle(self) -> bool:
        """Whether votes of this wave, in or awaited, may be enough for the early end."""
        out = self._out_of_wave()
        if out:
            return self._counts.lead + out * self._heaviest >= self._needed()
        return self._settled_early() is not None

    # ------------------------------------------------------------ judgement out

    def judge(self) -> Judgement:
        """Say what the count says now. Changes nothing."""
        if not self._out:
            return self._final()
        early = self._unchangeable() or self._settled_early()
        if early is None:
            return self._judgement(Outcome.PENDING, "")
        return self._judgement(*early)

    def _needed(self) -> int:
        seats = self.rules.seats
        if not self.rules.wave:
            return wave_lead(seats) * self._typical
        opposed = self._counts.second is not None
        return one_by_one_lead(seats, seats - self._wanted, opposed) * self._typical

    def _backed(self) -> bool:
        """Whether two votes agree, or learned weights put one voter above the others.

        A vote that stands alone among others that differ settles nothing. Of prose the heaviest
        voters' texts are compared (`_most_reliable`), not the first of them taken.
        """
        first = self._counts.first
        if first is None or self._finder.found == "code":
            return False  # equal programs are most often equally empty
        return first.votes > 1 or (bool(self._weights) and self._finder.found not in UNCOUNTED)

    def _unchangeable(self) -> tuple[Outcome, str] | None:
        """No future of the seats still out changes the outcome.

        A tie goes to the answer that reached the count first: a lead equal to what is out is final.
        """
        first = self._counts.first
        if self.rules.stop == "all" or first is None or not self._backed():
            return None
        out = self._out * self._heaviest
        asked = self.rules.min_agreement
        if first.weight + out < asked * (self._counts.weight + out):
            return Outcome.TIED, f"agreement cannot reach the asked {asked:.2f}"
        if self._counts.lead >= out and first.weight >= asked * (self._counts.weight + out):
            return Outcome.DECIDED, "cannot be overtaken"
        return None

    def _settled_early(self) -> tuple[Outcome, str] | None:
        """`saving`: the lead at this wave's end is, or is sure to be, what was asked of it."""
        if self.rules.stop != "saving" or self._wanted > self.rules.seats or not self._backed():
            return None
        out = self._out_of_wave() * self._heaviest
        first = self._counts.first
        assert first is not None
        if self._counts.lead - out < self._needed():
            return None
        if first.weight < self.rules.min_agreement * (self._counts.weight + out):
            return None
        return Outcome.DECIDED, f"far enough ahead after {len(self._answers)} votes"

    def _final(self) -> Judgement:
        first = self._counts.first
        if first is None:
            return self._judgement(Outcome.TIED, self._no_answer())
        asked, share = self.rules.min_agreement, first.weight / self._counts.weight
        if share < asked:
            reason = f"agreement {share:.2f} is below the asked {asked:.2f}"
            return self._judgement(Outcome.TIED, reason)
        if not self._backed() and len(self._counts.by_answer) > 1:
            if self._finder.found in UNCOUNTED:
                return self._most_reliable()
            return self._by_field() or self._judgement(Outcome.TIED, "no two votes agree")
        tie = self._counts.lead == 0
        return self._judgement(
            Outcome.DECIDED, "tie: first to reach the count" if tie else "all votes are in"
        )

    def _most_reliable(self) -> Judgement:
        """Of texts that all differ: among the most reliable voters' the nearest to the others.

        Of programs the first of them, since the most usual program is often an empty one.
        """
        if self._central is None:
            held = [c for c in self._casts if self._answers[c.seat] is not None]
            top = max(self._weight(c) for c in held)
            held = [c for c in held if self._weight(c) * 20 >= top * 19]
            if self._finder.found == "code":
                self._central = held[0].seat, "programs are not counted by their text: the first"
            else:
                at, near = central([self._answers[c.seat] or "" for c in held])
                reason = f"most central of {len(held)} texts, mean similarity {near:.2f}"
                self._central = held[at].seat, reason
        seat, reason = self._central
        judged = self._judgement(Outcome.DECIDED, reason)
        answer = self._answers[seat]
        assert answer is not None
        share = self._counts.by_answer[answer].weight / self._counts.weight
        return msgspec.structs.replace(
            judged, winner=seat, answer=answer, agreement=share, margin=0, cast=0, confidence=None
        )

    def _by_field(self) -> Judgement | None:
        """Objects that all differ, put together from the fields that most of them share."""
        if self._finder.found != "json":
            return None
        seats = [seat for seat, answer in self._answers.items() if answer is not None]
        merged = merge([self._answers[seat] or "" for seat in seats])
        if merged is None or not self._finder.allows(merged.answer):
            return None
        judged = self._judgement(Outcome.DECIDED, "no two objects are equal: voted by field")
        return msgspec.structs.replace(
            judged,
            winner=seats[merged.nearest],
            answer=merged.answer,
            agreement=merged.agreement,
            margin=0,
            cast=0,
            confidence=None,
        )

    def _no_answer(self) -> str:
        if self._cut:
            return f"no usable answer: {self._cut} of {len(self._answers)} were cut at their length"
        return "no usable answer"

    def _judgement(self, outcome: Outcome, reason: str) -> Judgement:
        first = self._counts.first
        shown = first if outcome is not Outcome.TIED else None
        share = first.weight / self._counts.weight if first else 0.0
        cast = self._counts.cast
        kind = self._finder.found
        return Judgement(
            outcome=outcome,
            reason=reason,
            winner=shown.seat if shown else None,
            answer=shown.answer if shown else None,
            agreement=share,
            margin=self._counts.margin,
            votes=self._counts.votes(),
            cast=0 if kind in UNCOUNTED else cast,
            answer_type=kind,
            confidence=confidence(kind, share, cast) if outcome is Outcome.DECIDED else None,
            mode=self.rules.stop,
        )
