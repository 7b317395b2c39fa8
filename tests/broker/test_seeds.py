"""Seeds of seats: distinct within a job, repeatable alone, not shared between neighbours."""

from hypothesis import given
from hypothesis import strategies as st

from broker.seeds import seed_of
from protocol.limits import SEATS_MAX, SEED_MAX

SEEDS = st.integers(0, SEED_MAX)


@given(SEEDS)
def test_seats_of_one_job_have_distinct_seeds_within_the_bounds(base: int) -> None:
    seeds = [seed_of(base, seat) for seat in range(SEATS_MAX + 2)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed <= SEED_MAX for seed in seeds)


@given(SEEDS)
def test_the_first_seat_has_the_jobs_own_seed(base: int) -> None:
    assert seed_of(base, 0) == base


@given(SEEDS, st.integers(1, 1000))
def test_neighbouring_jobs_share_no_seed(base: int, distance: int) -> None:
    other = (base + distance) & SEED_MAX
    ours = {seed_of(base, seat) for seat in range(SEATS_MAX + 2)}
    assert ours.isdisjoint(seed_of(other, seat) for seat in range(SEATS_MAX + 2))
