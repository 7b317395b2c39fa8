"""The most central text, against every pair compared by brute force."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.voting import Cast, Rules, Tally
from broker.voting.medoid import central, unit_vectors

TEXTS = st.lists(
    st.lists(st.sampled_from(["red", "green", "blue", "cat", "dog"]), max_size=6).map(" ".join),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_the_linear_way_finds_what_comparing_every_pair_finds(texts: list[str]) -> None:
    vectors = unit_vectors(texts)

    def near(i: int) -> float:
        rest = [v for j, v in enumerate(vectors) if j != i]
        return sum(sum(x * v.get(w, 0.0) for w, x in vectors[i].items()) for v in rest)

    at, similarity = central(texts)
    assert near(at) == pytest.approx(max(map(near, range(len(texts)))))
    if len(texts) > 1:
        assert similarity == pytest.approx(near(at) / (len(texts) - 1))


def test_there_is_no_centre_of_nothing() -> None:
    with pytest.raises(ValueError, match="no texts"):
        central([])


def prose(*votes: tuple[str, str], **rules: object) -> Tally:
    tally = Tally(Rules(len(votes), answer="text", **rules))  # type: ignore[arg-type]
    for seat, (voter, text) in enumerate(votes):
        tally.cast(Cast(seat, text, "stop", voter))
    return tally


def test_prose_ends_with_the_most_central_text_and_claims_no_confidence() -> None:
    judged = prose(("", "zebra"), ("", "the red cat sat"), ("", "the red cat ran away")).judge()
    assert judged.winner in {1, 2}
    assert judged.reason.startswith("most central of 3 texts, mean similarity 0.")
    assert (judged.confidence, judged.margin, judged.agreement) == (None, 0, pytest.approx(1 / 3))


def test_of_several_texts_of_the_most_reliable_model_the_most_central_is_taken() -> None:
    strong = ["zebra stripes", "the red cat sat", "the red cat ran away"]
    weak = ["zebra stripes", "zebra stripes fly", "zebra stripes fly away"]
    votes = [*(("strong", text) for text in strong), *(("weak", text) for text in weak[1:])]
    judged = prose(*votes, weights={"weak": 0.1, "strong": 2.0}).judge()
    assert judged.answer == central_of(strong)
    assert judged.reason.startswith("most central of 3 texts")


def central_of(texts: list[str]) -> str:
    return texts[central(texts)[0]]


def test_of_unequal_voters_the_most_reliable_ones_prose_wins() -> None:
    votes = (("weak", "the red cat"), ("weak", "the red cat sat"), ("strong", "zebra"))
    assert prose(*votes, weights={"weak": 0.5, "strong": 2.0}).judge().winner == 2
