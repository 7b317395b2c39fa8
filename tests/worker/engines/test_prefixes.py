"""The table of computed prompts: bounded, and honest about what two prompts share."""

from hypothesis import given
from hypothesis import strategies as st

from worker.engines.batched.prefixes import PREFIXES_MAX, Prefix, Prefixes


def _prefix(*tokens: int, size: int = 10) -> Prefix:
    return Prefix(tokens, state=b"", state_bytes=size, logits=None)


def test_the_least_recently_used_goes_first() -> None:
    table = Prefixes(bytes_max=20)
    table.put(_prefix(1))
    table.put(_prefix(2))
    assert table.get((1,))
    table.put(_prefix(3))
    assert table.get((2,)) is None
    assert table.get((1,))
    assert table.get((3,))


def test_the_newest_stays_even_above_the_bound() -> None:
    table = Prefixes(bytes_max=20)
    table.put(_prefix(1))
    table.put(_prefix(2, size=1000))
    assert len(table) == 1
    assert table.get((2,))


def test_the_number_of_entries_is_bounded_whatever_their_size() -> None:
    table = Prefixes(bytes_max=10**9)
    for token in range(PREFIXES_MAX + 5):
        table.put(_prefix(token, size=0))
    assert len(table) == PREFIXES_MAX


def test_putting_a_prompt_again_does_not_count_it_twice() -> None:
    table = Prefixes(bytes_max=20)
    for _ in range(5):
        table.put(_prefix(1))
    table.put(_prefix(2))
    assert table.get((1,))
    assert table.get((2,))


def test_the_last_token_of_a_prompt_is_never_taken_from_another() -> None:
    """Its logits are wanted, and those are kept for whole prompts only."""
    table = Prefixes(bytes_max=100)
    table.put(_prefix(1, 2, 3, 4, 5))
    assert table.nearest((1, 2, 3, 4), grid=2)[1] == 2
    assert table.nearest((1, 2, 3, 4), grid=1)[1] == 3


@given(
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=8), min_size=1, max_size=6),
    st.lists(st.integers(0, 1), min_size=1, max_size=8),
    st.integers(1, 3),
)
def test_the_nearest_is_the_longest_common_beginning_on_the_grid(
    known: list[list[int]], wanted: list[int], grid: int
) -> None:
    table = Prefixes(bytes_max=10**6)
    for tokens in known:
        table.put(_prefix(*tokens))
    lengths = [
        at
        for at in range(0, len(wanted), grid)
        if any(tokens[:at] == wanted[:at] for tokens in known)
    ]
    found, length = table.nearest(tuple(wanted), grid)
    assert length == max(lengths)
    assert (found is None) == (length == 0)
