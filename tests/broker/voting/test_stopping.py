"""Early ends under `saving`, against waiting for the end of the wave."""

import itertools

import pytest

from broker.voting import Cast, Outcome, Rules, Tally
from broker.voting.stopping import first_wave, one_by_one_lead, wave_lead

SEATS = 8
WAVE = first_wave(SEATS)


def counted(votes: tuple[str, ...]) -> Tally:
    tally = Tally(Rules(SEATS, answer="label", stop="saving"))
    for seat, vote in enumerate(votes):
        tally.cast(Cast(seat, "" if vote == "." else vote, "stop"))
    return tally


def lead_at_the_end(votes: tuple[str, ...]) -> tuple[int, str]:
    """The dumb twin: lead and leader once the wave is in."""
    counts = sorted(((votes.count(v), v) for v in set(votes) - {"."}), reverse=True)
    first, second = [*counts, (0, ""), (0, "")][:2]
    return first[0] - second[0], first[1]


@pytest.mark.parametrize("length", range(1, WAVE + 1))
def test_a_wave_is_settled_or_given_up_only_when_its_end_could_not_say_otherwise(
    length: int,
) -> None:
    for votes in itertools.product("xyz.", repeat=length):
        tally = counted(votes)
        ends = [
            lead_at_the_end(votes + rest)
            for rest in itertools.product("xyzw.", repeat=WAVE - length)
        ]
        settled = {leader for lead, leader in ends if lead >= wave_lead(SEATS)}
        judged = tally.judge()
        if judged.outcome is Outcome.DECIDED:
            assert settled == {judged.answer}, votes
            assert all(lead >= wave_lead(SEATS) for lead, _ in ends), votes
        if tally.wanted > WAVE:
            assert not settled, votes


def test_the_second_wave_is_all_the_rest() -> None:
    assert counted(("x", "y", "x", "y")).wanted == SEATS


@pytest.mark.parametrize("seats", range(1, 65))
def test_a_wave_can_be_settled_without_its_last_seat_wasted_and_never_exceeds_the_budget(
    seats: int,
) -> None:
    wave = first_wave(seats)
    assert 1 <= wave <= seats
    assert wave == 1 or (wave + wave_lead(seats)) % 2 == 0
    assert abs(wave - seats / 2) <= 1


@pytest.mark.parametrize("seats", [8, 16, 40])
def test_the_lead_asked_for_never_grows_while_seats_run_out(seats: int) -> None:
    leads = [one_by_one_lead(seats, out, opposed=True) for out in range(seats, -1, -1)]
    assert leads == sorted(leads, reverse=True)


@pytest.mark.parametrize("votes", list(itertools.product("xy", repeat=5)))
def test_one_by_one_never_opens_a_seat_while_those_open_may_settle(votes: tuple[str, ...]) -> None:
    tally = Tally(Rules(SEATS, answer="label", stop="saving", wave=1))
    for seat, vote in enumerate(votes):
        if tally.judge().outcome is not Outcome.PENDING:
            break
        assert tally.wanted > seat
        needed = one_by_one_lead(SEATS, SEATS - tally.wanted, opposed="y" in votes[:seat])
        best = max(votes[:seat].count(v) for v in "xy") - min(votes[:seat].count(v) for v in "xy")
        assert best + tally.wanted - seat <= needed or tally.wanted == SEATS
        tally.cast(Cast(seat, vote, "stop"))
