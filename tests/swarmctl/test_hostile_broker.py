"""The client's own socket: whatever stands where the broker should be, it cannot harm a client."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from detect.home import Home
from protocol import frames
from protocol import messages as m
from protocol.ids import NodeId
from protocol.limits import FRAME_BYTES_MAX
from swarmctl.client import Client
from swarmctl.exits import Failure

REPORT = m.NodeReport(
    m.NodeFacts(NodeId("n" * 40), "here", "0", 1, 1.0, "ipc://x", "home"),
    m.JobCounts(0, 0, 0, 0, 0, 0),
    (),
)


class Impostor:
    """A ROUTER in the broker's place that answers with what the test gives it."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(state=folder, config=folder, runtime=folder)
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.set(zmq.LINGER, 0)
        self.router.bind(self.home.address)

    def answer(self, *parts: bytes) -> None:
        assert self.router.poll(5000)
        route, _ = self.router.recv_multipart()
        for part in parts:
            self.router.send_multipart([route, part])

    def close(self) -> None:
        self.router.close()
        self.context.term()


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    folder = Path(tempfile.mkdtemp(prefix="swarm-"))
    there = Impostor(folder)
    yield there
    there.close()
    shutil.rmtree(folder)


def good() -> bytes:
    return next(frames.pack([frames.encode(REPORT)]))


@pytest.mark.parametrize(
    "garbage", [b"\x01\x91\xc1", b"\x01" + b"\x91" * 5000, b"\x01\x91\x81\xa3say\xa4SING"]
)
def test_garbage_is_skipped_and_the_answer_behind_it_is_heard(
    impostor: Impostor, garbage: bytes
) -> None:
    with Client(impostor.home) as client:
        client.send(m.Status())
        impostor.answer(garbage, good())
        heard: list[object] = []
        while not heard:
            heard = list(client.receive(5.0))
        assert heard == [REPORT]


def test_another_version_is_told_in_words(impostor: Impostor) -> None:
    with Client(impostor.home) as client:
        client.send(m.Status())
        impostor.answer(b"\x07\x90")
        with pytest.raises(Failure) as told:
            list(client.receive(5.0))
        assert "version" in f"{told.value} {told.value.because} {told.value.hint}"


def test_an_oversized_frame_never_reaches_us(impostor: Impostor) -> None:
    with Client(impostor.home) as client:
        client.send(m.Status())
        impostor.answer(bytes(FRAME_BYTES_MAX + 1))
        assert list(client.receive(0.5)) == []


def test_silence_is_an_error_and_not_a_hang(impostor: Impostor) -> None:
    with Client(impostor.home) as client, pytest.raises(Failure, match="answer"):
        client.ask(m.Status(), m.NodeReport, timeout_s=0.2)
