"""Which results go first: what is too old, then what was heard, then the oldest."""

from broker.kept import Kept, Retention
from protocol.ids import JobId

A, B, C, D = (JobId(name) for name in "abcd")


def kept(**bounds: float) -> Kept:
    table = Kept(Retention(**bounds))  # type: ignore[arg-type]
    for at, job in enumerate((A, B, C, D)):
        table.add(job, 10, float(at))
    return table


def test_a_result_is_too_old_by_when_it_was_given_not_by_when_it_was_heard() -> None:
    """It used to stay behind a younger one that was heard before it, for up to twice its time."""
    table = kept(age_s=10.0)
    for job in (C, A):
        assert table.hear(job)
    assert table.forget(10.5) == (A,)
    assert table.forget(11.5) == (B,)
    table.check()


def test_what_was_heard_makes_room_first_in_the_order_it_was_heard() -> None:
    table = kept(results=1)
    for job in (C, A):
        assert table.hear(job)
    assert not table.hear(C)
    assert not table.hear(JobId("nobody's"))
    assert table.forget(4.0) == (C, A, B)
    assert D in table
    table.check()
