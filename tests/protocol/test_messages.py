"""The vocabulary itself: every message is in the grammar, and each name is said once."""

import msgspec

from protocol import messages as m


def classes() -> set[type]:
    return {*m.ToBroker.__args__, *m.ToClient.__args__, *m.ToWorker.__args__}


def test_every_message_stands_in_the_grammar() -> None:
    grammar = m.__doc__ or ""
    assert [c.__name__.upper() for c in classes() if c.__name__.upper() not in grammar] == []


def test_every_message_belongs_to_a_direction() -> None:
    defined = {
        c
        for c in vars(m).values()
        if isinstance(c, type) and issubclass(c, m.Message) and c is not m.Message
    }
    assert defined == classes()


def test_no_message_carries_a_moment() -> None:
    """Two machines' clocks disagree: only durations cross the wire."""
    moments = [
        f"{c.__name__}.{field.name}"
        for c in classes()
        for field in msgspec.structs.fields(c)
        if field.name.endswith("_at")
    ]
    assert moments == []
