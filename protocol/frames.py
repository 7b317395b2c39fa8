"""Frames: one ZeroMQ part holds a version byte and a MessagePack array of messages.

    frame = %x01 array( 1*FRAME_MESSAGES_MAX message )

An array, because what one turn of a loop says to one listener then costs one send and one
receive, however much it is. Messages are encoded one by one and joined under an array header
(MessagePack specification, "array format family"), so that a frame can be closed at its bound.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from protocol import messages as m
from protocol.errors import FrameError, FrameTooLarge, UnknownMessage, WrongVersion
from protocol.limits import FRAME_BYTES_MAX, FRAME_FULL_BYTES, FRAME_MESSAGES_MAX
from protocol.verbatim import brief, whole

VERSION = 1
_VERSION_BYTE = bytes([VERSION])

_encode: Callable[[m.Message], bytes] = msgspec.msgpack.Encoder().encode


def encode(message: m.Message) -> bytes:
    """A message to its bytes, to be joined by `pack`."""
    return _encode(brief(message) if type(message) is m.Verdict else message)


def _header(count: int) -> bytes:
    return _VERSION_BYTE + (bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2))


_HEADERS = [_header(count) for count in range(FRAME_MESSAGES_MAX + 1)]


def pack(parts: Sequence[bytes]) -> Iterator[bytes]:
    """Join encoded messages into as few frames as the bounds allow, in order.

    Raises FrameTooLarge when one message alone is over FRAME_BYTES_MAX.
    """
    if len(parts) == 1 and len(parts[0]) < FRAME_BYTES_MAX:
        yield _HEADERS[1] + parts[0]
        return
    start = size = 0
    for i, part in enumerate(parts):
        if len(part) >= FRAME_BYTES_MAX:
            raise FrameTooLarge(f"a message of {len(part)} bytes, over {FRAME_BYTES_MAX}")
        if i > start and (size + len(part) > FRAME_FULL_BYTES or i - start == FRAME_MESSAGES_MAX):
            yield b"".join([_HEADERS[i - start], *parts[start:i]])
            start, size = i, 0
        size += len(part)
    if start < len(parts):
        yield b"".join([_HEADERS[len(parts) - start], *parts[start:]])


class Decoder:
    """Frames to the messages that may be said in one direction."""

    def __init__(self, union: Any) -> None:
        self._decode = msgspec.msgpack.Decoder(list[union]).decode

    def __call__(self, frame: bytes) -> list[Any]:
        """Return the frame's messages in order.

        Raises FrameError, WrongVersion or UnknownMessage. Bounded by the frame's size: msgspec
        allocates nothing for lengths that the bytes do not bear out.
        """
        if len(frame) > FRAME_BYTES_MAX:
            raise FrameTooLarge(f"a frame of {len(frame)} bytes, over {FRAME_BYTES_MAX}")
        if frame[:1] != _VERSION_BYTE:
            raise WrongVersion(f"first byte {frame[:1]!r}, expected {_VERSION_BYTE!r}")
        try:
            said = self._decode(memoryview(frame)[1:])
        # All of msgspec's errors are ValueErrors, bad UTF-8 too; nesting 200,000 deep recurses.
        except (ValueError, RecursionError) as error:
            raise _explain(frame, error) from None
        if len(said) > FRAME_MESSAGES_MAX:
            raise FrameError(f"{len(said)} messages in a frame, over {FRAME_MESSAGES_MAX}")
        return said


class ClientDecoder(Decoder):
    """To a client's messages: verdicts come whole."""

    def __call__(self, frame: bytes) -> list[Any]:
        """As of any decoder."""
        said = super().__call__(frame)
        return [whole(one) if type(one) is m.Verdict else one for one in said]


def _explain(frame: bytes, error: Exception) -> FrameError:
    """Tell a newer node's message from garbage."""
    try:
        said = msgspec.msgpack.decode(memoryview(frame)[1:])
        tags = [str(item["say"]) for item in said]
    except (ValueError, RecursionError, TypeError, KeyError):
        return FrameError(str(error)[:200])
    unknown = [tag for tag in tags if tag not in _KNOWN]
    return UnknownMessage(unknown[0]) if unknown else FrameError(str(error)[:200])


_KNOWN = {
    cls.__name__.upper() for union in (m.ToBroker, m.ToClient, m.ToWorker) for cls in union.__args__
}

to_broker = Decoder(m.ToBroker)
to_client = ClientDecoder(m.ToClient)
to_worker = Decoder(m.ToWorker)
