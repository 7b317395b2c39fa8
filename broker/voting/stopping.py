"""When a count may end early, and how many seats are opened at a time."""


def lead_needed(seats: int) -> int:
    """Votes by which a leader must be ahead to be settled early, for a budget of `seats`.

    A lead rule is Wald's sequential test between the two best answers (ConSol, arXiv 2503.17587:
    its test with p1 near 1/2 is "lead by 3"); the lead that loses nothing grows with the budget.
    """
    if seats <= 10:
        return 3
    return 4 if seats <= 24 else 5


def wave_size(seats: int, wave: int) -> int:
    """Seats of one wave: as asked for, at most all; 0 means half of them, rounded up."""
    return min(wave, seats) if wave else (seats + 1) // 2
