"""Frames: what goes in comes out, and a stranger's bytes can only be refused."""

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import frames
from protocol import messages as m
from protocol.errors import Code, FrameError, FrameTooLarge, Problem, UnknownMessage, WrongVersion
from protocol.ids import JobId, Seat, WorkerId
from protocol.limits import FRAME_BYTES_MAX, FRAME_FULL_BYTES, FRAME_MESSAGES_MAX

SUBMIT = m.Submit(JobId("j"), "What is 6 times 7?")
EVERY = [
    SUBMIT,
    m.Wait(JobId("j")),
    m.Cancel(JobId("j")),
    m.Status(),
    m.Scale(3),
    m.Ready(WorkerId("w1"), 1, "scripted", "1", "abacus", "sha256:0", 2, 512),
    m.Heartbeat(0, 0, 0, 0, 0.0),
    m.Vote(JobId("j"), Seat(0), 1, "#### 42", "stop", 3, 4),
    m.Gone("bye"),
]


def packed(*messages: m.Message) -> list[bytes]:
    return list(frames.pack([frames.encode(message) for message in messages]))


def test_messages_come_out_as_they_went_in() -> None:
    (frame,) = packed(*EVERY)
    assert frames.to_broker(frame) == EVERY


@given(count=st.integers(1, 3 * FRAME_MESSAGES_MAX))
@settings(max_examples=30)
def test_frames_close_at_their_bound_and_keep_the_order(count: int) -> None:
    said = [m.Wait(JobId(str(i))) for i in range(count)]
    sent = packed(*said)
    assert len(sent) == -(-count // FRAME_MESSAGES_MAX)
    assert [message for frame in sent for message in frames.to_broker(frame)] == said


def test_frames_close_before_they_grow_too_large() -> None:
    part = frames.encode(msgspec.structs.replace(SUBMIT, prompt="x" * (FRAME_FULL_BYTES // 3)))
    sent = list(frames.pack([part] * 4))
    assert [len(frame) <= FRAME_FULL_BYTES for frame in sent] == [True, True]


def test_a_message_that_fills_a_frame_goes_alone() -> None:
    large = frames.encode(msgspec.structs.replace(SUBMIT, prompt="x" * (2 * FRAME_FULL_BYTES)))
    small = frames.encode(SUBMIT)
    assert [len(frames.to_broker(frame)) for frame in frames.pack([small, large, small])] == [1] * 3


def test_a_message_over_the_bound_is_refused_where_it_is_made() -> None:
    with pytest.raises(FrameTooLarge, match="bytes, over"):
        list(frames.pack([b"x" * FRAME_BYTES_MAX]))


def test_a_frame_over_the_bound_is_refused_unread() -> None:
    with pytest.raises(FrameTooLarge, match="bytes, over"):
        frames.to_broker(bytes(FRAME_BYTES_MAX + 1))


def test_more_messages_than_a_frame_may_hold_are_refused() -> None:
    many = msgspec.msgpack.encode([m.Status()] * (FRAME_MESSAGES_MAX + 1))
    with pytest.raises(FrameError, match="messages in a frame"):
        frames.to_broker(bytes([frames.VERSION]) + many)


@pytest.mark.parametrize("frame", [b"", b"GET / HTTP/1.1", b"\x00\x91", b"\x02\x90"])
def test_another_version_is_told_from_garbage_in_ours(frame: bytes) -> None:
    with pytest.raises(WrongVersion):
        frames.to_broker(frame)


def test_an_unknown_message_is_named() -> None:
    hello = msgspec.msgpack.encode([{"say": "HELLO", "new": 1}])
    with pytest.raises(UnknownMessage, match="HELLO"):
        frames.to_broker(bytes([frames.VERSION]) + hello)


def test_a_message_of_another_direction_is_refused_but_not_unknown() -> None:
    (frame,) = packed(m.Stop())
    with pytest.raises(FrameError) as raised:
        frames.to_broker(frame)
    assert not isinstance(raised.value, UnknownMessage)


def test_unknown_fields_are_skipped_and_missing_ones_have_their_default() -> None:
    newer = msgspec.msgpack.encode([{"say": "SUBMIT", "job": "j", "prompt": "p", "hue": "red"}])
    (submit,) = frames.to_broker(bytes([frames.VERSION]) + newer)
    assert submit == m.Submit(JobId("j"), "p")


@pytest.mark.parametrize(
    "body",
    [
        b"\x91" * 200_000,  # nesting: RecursionError in the decoder
        b"\xdd\xff\xff\xff\xff",  # an array of 4 G items that are not there
        b"\x91\xdb\xff\xff\xff\xffx",  # a string of 4 GB that is not there
        b"\x91\x82\xa3say\xa6SUBMIT\xa3job\xa2\xff\xfe",  # no UTF-8
        b"\x91\x81\xa3say\xa6SUBMIT",  # required fields are missing
        b"\x90trailing",
        b"\x91\xc0",
    ],
)
def test_hostile_bytes_are_an_error_and_nothing_else(body: bytes) -> None:
    with pytest.raises(FrameError):
        frames.to_broker(bytes([frames.VERSION]) + body)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_random_bytes_are_messages_or_an_error(body: bytes) -> None:
    for decode in (frames.to_broker, frames.to_client, frames.to_worker):
        with contextlib.suppress(FrameError):
            assert isinstance(decode(bytes([frames.VERSION]) + body), list)


@given(st.data())
@settings(max_examples=200)
def test_damaged_frames_are_messages_or_an_error(data: st.DataObject) -> None:
    (frame,) = packed(*EVERY)
    spot = data.draw(st.integers(1, len(frame) - 1))
    damaged = frame[:spot] + data.draw(st.binary(max_size=4)) + frame[spot + 1 :]
    with contextlib.suppress(FrameError):
        assert isinstance(frames.to_broker(damaged), list)


def test_a_refusal_carries_its_three_sentences() -> None:
    problem = Problem(Code.BUSY, "the node is busy", "10000 jobs", "try again", retry_after_s=2.0)
    (frame,) = packed(m.Rejected(problem, JobId("j")))
    assert frames.to_client(frame) == [m.Rejected(problem, JobId("j"))]
