"""What a broker has asked to be said, and what has left it since."""

from broker import events as ev
from protocol import messages as m
from protocol.ids import JobId

_Key = tuple[bytes, str, JobId]


class Owed:
    """ACCEPTED and VERDICT, by who is to be told. Progress may be dropped, and the rest waits for
    nothing."""

    def __init__(self) -> None:
        self._owed: dict[_Key, None] = {}

    def asked(self, send: ev.Send) -> None:
        """The core wants this to be said."""
        if isinstance(send.message, m.Accepted | m.Verdict):
            self._owed[_key(send.route, send.message)] = None

    def left(self, route: bytes, said: m.Accepted | m.Verdict) -> None:
        """It was said."""
        self._owed.pop(_key(route, said), None)

    def nobody(self, route: bytes) -> None:
        """Nobody is behind this route."""
        self._owed = {key: None for key in self._owed if key[0] != route}

    def withdrawn(self, job: JobId) -> None:
        """There is no such job after all."""
        self._owed = {key: None for key in self._owed if key[2] != job}

    def died(self) -> None:
        """Nothing of it will be said."""
        self._owed.clear()

    def final(self) -> None:
        """All is quiet."""
        assert not self._owed, f"asked to be said, and never said: {list(self._owed)}"


def _key(route: bytes, said: m.Accepted | m.Verdict) -> _Key:
    return route, type(said).__name__, said.job
