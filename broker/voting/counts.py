"""Votes by answer, and who leads."""

WEIGHT_UNIT = 1000
"""Weights are counted in thousandths, as whole numbers: sums do not depend on their order."""


class Count:
    """The votes for one answer."""

    __slots__ = ("answer", "seat", "votes", "weight")

    def __init__(self, answer: str, seat: int) -> None:
        self.answer = answer
        self.seat = seat  # the first that gave it
        self.votes = 0
        self.weight = 0


class Counts:
    """Votes by answer, in order of arrival. A tie is led by the answer that reached it first."""

    __slots__ = ("by_answer", "cast", "first", "second", "weight")

    def __init__(self) -> None:
        self.by_answer: dict[str, Count] = {}
        self.first: Count | None = None  # the leader
        self.second: Count | None = None  # the best of the others
        self.cast = 0  # votes for any answer
        self.weight = 0  # of all votes

    def add(self, answer: str, seat: int, weight: int) -> None:
        """Count a vote of this weight, at least 1."""
        count = self.by_answer.get(answer)
        if count is None:
            count = self.by_answer[answer] = Count(answer, seat)
        count.votes += 1
        count.weight += weight
        self.cast += 1
        self.weight += weight
        first, second = self.first, self.second
        if first is None or count is first:
            self.first = count
        elif count.weight > first.weight:
            self.first, self.second = count, first
        elif second is None or count.weight > second.weight:
            self.second = count

    @property
    def lead(self) -> int:
        """Weight by which the first is ahead of the second."""
        if self.first is None:
            return 0
        return self.first.weight - (self.second.weight if self.second else 0)

    @property
    def margin(self) -> int:
        """Votes of the first less those of the second; below 0 only where votes are weighted."""
        if self.first is None:
            return 0
        return self.first.votes - (self.second.votes if self.second else 0)

    def votes(self) -> dict[str, int]:
        """Votes by answer, in order of arrival."""
        return {answer: count.votes for answer, count in self.by_answer.items()}
