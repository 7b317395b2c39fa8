"""A turn of the loop is short, whatever comes."""

from types import SimpleNamespace

import zmq

from broker.service import DRAINED_MAX, DRAINED_S, Service


def frames_taken(frame_s: float) -> int:
    """How many of very many frames one turn takes, when each takes so long."""
    heard: list[float] = []

    def hear() -> float:
        heard.append(frame_s * len(heard))
        return heard[-1]

    full = SimpleNamespace(get=lambda _: zmq.POLLIN)
    Service._drain(SimpleNamespace(_hear=hear, _router=full))  # type: ignore[arg-type]
    return len(heard)


def test_quick_frames_are_taken_up_to_a_number() -> None:
    assert frames_taken(0.0) == 1 + DRAINED_MAX


def test_slow_frames_are_taken_for_a_while() -> None:
    """256 of 256 STATUS each kept everybody else waiting for seven minutes."""
    assert frames_taken(DRAINED_S / 4) <= 6
    assert frames_taken(1.0) == 2
