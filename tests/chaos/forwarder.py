"""A forwarder between two local sockets that can go dark: it accepts, and swallows what comes.

For a process behind it the other end is then half-open: connected, silent, and never closed.
"""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 1 << 16


class Forwarder:
    """One thread that carries bytes between those who connect and the broker's socket."""

    def __init__(self, front: Path, back: Path) -> None:
        self.dark = threading.Event()
        self.swallowed_bytes = 0
        self._back = str(back)
        self._other: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(front))
        self._listener.listen()
        self._ours, self._wakeup = socket.socketpair()
        for one in (self._listener, self._ours):
            self._selector.register(one, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Break every connection, and end."""
        self._wakeup.send(b"!")
        self._thread.join()
        for one in (*self._other, self._listener, self._ours, self._wakeup):
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one is self._ours:
                    return
                if one is self._listener:
                    self._accept()
                elif one in self._other:
                    self._carry(one)

    def _accept(self) -> None:
        front, _ = self._listener.accept()
        back = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            back.connect(self._back)
        except OSError:
            front.close()
            back.close()
            return
        self._other[front], self._other[back] = back, front
        for one in (front, back):
            self._selector.register(one, selectors.EVENT_READ)

    def _carry(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if data := one.recv(CHUNK_BYTES):
                if self.dark.is_set():
                    self.swallowed_bytes += len(data)
                else:
                    self._other[one].sendall(data)
                return
        other = self._other.pop(one)
        del self._other[other]
        for each in (one, other):
            self._selector.unregister(each)
            each.close()


@contextlib.contextmanager
def forwarding(front: Path, back: Path) -> Iterator[Forwarder]:
    """A forwarder for as long as this lasts."""
    forwarder = Forwarder(front, back)
    try:
        yield forwarder
    finally:
        forwarder.close()
