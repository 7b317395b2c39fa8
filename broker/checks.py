"""A vote that a check decides: the first candidate that passes the client's own command wins.

The client runs the command, never the broker; it says what came of it, seat by seat (CHECKED).
A candidate is a vote that holds an answer. What was tried is not written down: after a restart
the candidates are told again, and the client says again what it knows.
"""

from broker.voting import Outcome
from broker.voting.stopping import first_wave
from protocol.limits import STOPPED_CHARS_MAX


class Checks:
    """What was tried of one job's votes, and how many seats it wants.

    fast: all seats at once, until one passes. saving: half of them first, the rest if none passes.
    all: every seat is waited for and tried, so that the verdict says how many pass.
    """

    __slots__ = ("_seats", "_stop", "_told", "_winner", "_without", "candidates", "wanted")

    def __init__(self, seats: int, stop: str) -> None:
        self._seats = seats
        self._stop = stop
        self.wanted = first_wave(seats) if stop == "saving" else seats
        self.candidates: dict[int, bool | None] = {}  # by seat; None: not tried yet
        self._without = 0  # seats that ended without a candidate
        self._winner: int | None = None  # the first that passed
        self._told = ""  # what the client says of the end

    def candidate(self, seat: int) -> None:
        """Take a vote that can be tried."""
        self.candidates[seat] = None

    def without(self) -> None:
        """Note a seat that gave nothing to be tried."""
        self._without += 1
        self._open_more()

    def result(self, seat: int, passed: bool, told: str = "") -> bool:
        """What came of a candidate; False when it is none, or was told before: nothing changes."""
        if self.candidates.get(seat, False) is not None:
            return False
        self.candidates[seat] = passed
        self._told = told[:STOPPED_CHARS_MAX] or self._told
        if passed and self._winner is None:
            self._winner = seat
        self._open_more()
        return True

    def open_all(self) -> None:
        """Want every seat: the first ones were tried before a restart, and none passed."""
        self.wanted = self._seats

    def _open_more(self) -> None:
        if self._winner is None and self.tried + self._without >= self.wanted:
            self.open_all()

    @property
    def untried(self) -> list[int]:
        """Seats whose candidates wait to be tried, in order of arrival."""
        return [seat for seat, passed in self.candidates.items() if passed is None]

    @property
    def tried(self) -> int:
        """Candidates that were tried."""
        return len(self.candidates) - len(self.untried)

    @property
    def passed(self) -> int:
        """Candidates that passed."""
        return sum(passed is True for passed in self.candidates.values())

    def judge(self) -> tuple[Outcome, str, int | None]:
        """What is settled, why, and the winner's seat."""
        out = self._seats - self.tried - self._without
        if self._winner is not None and (self._stop != "all" or not out):
            told = f"passed the check ({self.passed} of {self.tried} tried)"
            return Outcome.DECIDED, self._told or told, self._winner
        if out:
            return Outcome.PENDING, "", None
        if not self.candidates:
            return Outcome.TIED, "no candidate to check", None
        told = f"no candidate passed the check ({self.tried} tried)"
        return Outcome.TIED, self._told or told, None
