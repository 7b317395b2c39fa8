"""Tokens to text: every way of cutting the bytes gives one text."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.engines.batched.text import Text


def _fed(pieces: list[bytes], stops: tuple[str, ...] = ()) -> Text:
    text = Text(stops)
    for piece in pieces:
        if text.feed(piece):
            break
    return text


def _cut(whole: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(whole), *(place % (len(whole) + 1) for place in at)})
    return [whole[a:b] for a, b in pairwise(edges)]


def test_a_character_split_over_three_tokens_arrives_whole() -> None:
    euro = "€".encode()
    assert _fed([b"5 ", euro[:1], euro[1:2], euro[2:]]).end() == "5 €"


def test_a_character_that_was_never_finished_becomes_the_replacement_character() -> None:
    assert _fed([b"ok", "é".encode()[:1]]).end() == "ok\ufffd"


def test_a_stop_string_across_tokens_ends_the_text_before_it() -> None:
    text = _fed([b"one\nQ", b"uest", b"ion: two"], ("\nQuestion:",))
    assert text.stopped
    assert text.end() == "one"


def test_the_beginning_of_a_stop_string_that_goes_on_otherwise_is_kept() -> None:
    assert _fed([b"a\nQu", b"iet"], ("\nQuestion:",)).end() == "a\nQuiet"


def test_the_first_of_two_stop_strings_in_one_token_counts() -> None:
    assert _fed([b"a END b STOP"], ("STOP", "END")).end() == "a "


def test_an_empty_stop_string_is_ignored() -> None:
    assert _fed([b"abc"], ("",)).end() == "abc"


@given(st.text(max_size=40), st.lists(st.integers(0, 200), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_text(whole: str, at: list[int]) -> None:
    assert _fed(_cut(whole.encode(), at)).end() == whole


@given(
    st.text("abc", max_size=30),
    st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(0, 60), max_size=12),
)
def test_stopping_matches_a_search_in_the_text_so_far(
    whole: str, stops: list[str], at: list[int]
) -> None:
    """The oracle searches everything fed until then, after each piece."""
    pieces = _cut(whole.encode(), at)
    expected = whole
    for fed in range(1, len(pieces) + 1):
        so_far = b"".join(pieces[:fed]).decode()
        places = [so_far.find(stop) for stop in stops if stop in so_far]
        if places:
            expected = so_far[: min(places)]
            break
    assert _fed(pieces, tuple(stops)).end() == expected
