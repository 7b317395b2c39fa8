"""JSON objects that differ, voted on field by field."""

from broker.voting import Cast, Outcome, Rules, Tally
from broker.voting.fields import merge


def judged(*texts: str, asked: float = 0.0) -> tuple[Outcome, str | None, int | None, str]:
    tally = Tally(Rules(len(texts), answer="json", tie_seats=0, min_agreement=asked))
    for seat, text in enumerate(texts):
        tally.cast(Cast(seat, text, "stop"))
    found = tally.judge()
    return found.outcome, found.answer, found.winner, found.reason


def test_each_field_takes_the_value_given_most_often() -> None:
    texts = ('{"a": 1, "b": 2}', '{"a": 1, "b": 3, "c": 9}', '{"a": 4, "b": 3}')
    why = "no two objects are equal: voted by field"
    assert judged(*texts) == (Outcome.DECIDED, '{"a":1,"b":3}', 1, why)


def test_objects_that_agree_in_nothing_are_no_verdict() -> None:
    assert judged('{"a": 1}', '{"a": 2}')[0] is Outcome.TIED
    assert judged("[1]", "[2]")[0] is Outcome.TIED
    assert merge([]) is None


def test_equal_objects_need_no_vote_by_field() -> None:
    texts = ('{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}', '{"a": 1, "b": 3}')
    assert judged(*texts)[1:] == ('{"a":1,"b":2}', 0, "all votes are in")


def test_a_whole_object_asked_for_by_more_than_one_vote_is_not_put_together() -> None:
    assert judged('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', asked=0.6)[0] is Outcome.TIED


def test_the_agreement_is_the_mean_share_over_the_fields() -> None:
    merged = merge(['{"a":1,"b":2}', '{"a":1,"b":3}'])
    assert merged is not None
    assert (merged.agreement, merged.nearest) == (0.75, 0)
