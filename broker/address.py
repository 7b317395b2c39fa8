"""The address that clients and workers talk to: ours alone, never taken from another program.

libzmq 4.3.5 removes what lies at an ipc path before it binds (ipc_listener.cpp), a live socket
too. The lock keeps two brokers of one home apart, but not when its file was removed.
"""

import socket as sockets
from pathlib import Path

import zmq

from protocol.limits import FRAME_BYTES_MAX

RECEIVED_MAX = 1000
"""Frames of one speaker that wait in libzmq to be heard."""

SENT_MAX = 100
"""Frames queued in libzmq for one listener. Each may be as large as frames are, so there are few;
beyond, they wait in the outbox, which is bounded in bytes."""

HANDSHAKE_MS = 3000
"""A connection that says nothing is cut; by default it would hold its place for 30 s."""

LINGER_MS = 500
"""For the last words to clients at the end, and no hang when they do not read."""


class AddressInUse(Exception):
    """Something that is not ours is at the address: what was seen."""


def bind(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """The ROUTER that clients and workers talk to, at an `ipc://` address.

    Routing ids are ZeroMQ's own (HANDOVER would let one peer take another's); MANDATORY, since
    without it a message to nobody is dropped in silence; bounds in every direction. Raises
    AddressInUse; what a dead broker left there is removed.
    """
    path = Path(address.removeprefix("ipc://"))
    if hasattr(sockets, "AF_UNIX"):  # Python has none on Windows
        _refuse_if_in_use(path)
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.ROUTER_HANDOVER, 0)
    router.setsockopt(zmq.SNDHWM, SENT_MAX)
    router.setsockopt(zmq.RCVHWM, RECEIVED_MAX)
    router.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    router.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    router.setsockopt(zmq.LINGER, LINGER_MS)
    router.bind(address)
    path.chmod(0o600)
    return router


class Watch:
    """Whether clients still find the socket that we bound: somebody may clear the folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bound = self._there()

    def is_ours(self) -> bool:
        """Whether what lies at the path is what we bound there."""
        return self._there() == self._bound

    def _there(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None


def _refuse_if_in_use(path: Path) -> None:
    if path.exists() and not path.is_socket():
        raise AddressInUse(f"{path} is there, and is no socket")
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as one:
        one.setblocking(False)
        try:
            one.connect(str(path))
        except BlockingIOError:
            pass  # its backlog is full: somebody listens
        except OSError:
            return
    raise AddressInUse(f"another program listens on {path}")
