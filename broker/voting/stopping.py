"""When a count may end before it cannot be overtaken, and how many seats are opened at a time.

Measured on recorded votes of 11 models (docs/VOTING.md); both rules look at votes in the order of
seats, never of arrival, since the first to finish are not a fair sample.
"""

WAVE_LEADS = ((12, 2), (24, 3), (48, 4), (1 << 30, 5))
"""Lead that settles a vote after the first of two waves: (below this many seats, lead)."""


def wave_lead(seats: int) -> int:
    """Votes by which the leader must be ahead when the first of two waves is in.

    Wald's sequential test between the two best answers is a lead in votes (ConSol, arXiv
    2503.17587); how large is measured in decision 0100.
    """
    return next(lead for below, lead in WAVE_LEADS if seats < below)


def first_wave(seats: int) -> int:
    """Seats of the first of two waves: half, or one less.

    A wave of w seats is settled without its last (w - lead) / 2, so w and the lead are both odd or
    both even.
    """
    half = (seats + 1) // 2
    return max(1, half - (half + wave_lead(seats)) % 2)


def one_by_one_lead(seats: int, out: int, opposed: bool) -> int:
    """Votes by which the leader must be ahead, judged after each vote, with `out` seats left.

    A lead rule is Wald's sequential test between the two best answers (ConSol, arXiv 2503.17587:
    with p1 near 1/2 it is "lead by 3"). Here it asks for one vote more early on while there is a
    second answer, and for one less in the last quarter: on the way to the least votes for an equal
    share of changed winners, found by backward induction over (votes, first, second).
    """
    lead = 3 if seats <= 20 else 4
    if out * 4 <= seats:
        return lead - (seats > 10)
    if seats <= 10 or not opposed or out * 10 < seats * 6:
        return lead
    return lead + 1


def wave_size(seats: int, wave: int) -> int:
    """Seats opened first under `saving`; `wave` as in Rules."""
    return min(wave, seats) if wave else first_wave(seats)
