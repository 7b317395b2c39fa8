"""The seeds of a job's seats: set by us, distinct, and following from one number.

Seat 0 has the job's seed itself, so that a job of one vote repeats any seat of another job.
"""

from protocol.limits import SEED_MAX

_STRIDE = 0x61C88647
"""Odd, so that multiples are distinct modulo 2**31; the golden ratio's (Knuth, TAOCP vol. 3, 6.4),
so that jobs with neighbouring seeds share none."""


def seed_of(job_seed: int, seat: int) -> int:
    """The seed of this seat, 0 to SEED_MAX; distinct for distinct seats of one job."""
    return (job_seed + seat * _STRIDE) & SEED_MAX
