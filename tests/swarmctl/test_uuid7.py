"""Job ids: the layout of RFC 9562, 5.7."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from protocol.limits import NAME_CHARS_MAX
from swarmctl.uuid7 import job_id, uuid7

TIMES = st.integers(0, 2**48 - 1)
DICE = st.integers(0, 2**74 - 1)


def test_the_example_of_the_standard_is_met():
    """Source: RFC 9562, appendix A.6."""
    dice = 0xCC3 << 62 | 0x18C4DC0C0C07398F
    assert uuid7(0x017F22E279B0, dice) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(TIMES, DICE)
def test_every_id_is_of_version_7_and_holds_its_time(unix_ms, dice):
    made = uuid.UUID(uuid7(unix_ms, dice))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == unix_ms


@given(TIMES, DICE, DICE)
def test_a_later_id_sorts_after_an_earlier_one(unix_ms, one, other):
    assert uuid7(unix_ms, one) <= uuid7(unix_ms, one | other)
    if unix_ms:
        assert uuid7(unix_ms - 1, one) < uuid7(unix_ms, other)


def test_two_ids_differ():
    assert job_id() != job_id()
    assert len(job_id()) <= NAME_CHARS_MAX
