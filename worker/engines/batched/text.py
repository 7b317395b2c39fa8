"""Tokens to text, piece by piece: characters split over tokens, and strings that end an answer."""

import codecs
from collections.abc import Sequence


class Text:
    """The growing text of one answer. Feed it the bytes of each token in turn."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stops = tuple(stop for stop in stops if stop)  # an empty one would end every answer
        self._longest = max(map(len, self._stops), default=0)
        self._parts: list[str] = []
        self._tail = ""  # the end of the text that may still begin a stop string
        self.stopped = False

    def feed(self, piece: bytes) -> bool:
        """Append a token's bytes; True when a stop string is now complete.

        The text then ends before its first occurrence, and nothing more may be fed.
        """
        assert not self.stopped, "fed after the end"
        return self._append(self._decoder.decode(piece))

    def end(self) -> str:
        """The whole text. A character whose last bytes never came becomes U+FFFD."""
        if not self.stopped:
            self._append(self._decoder.decode(b"", final=True))
        self._parts.append(self._tail)
        self._tail = ""
        return "".join(self._parts)

    def _append(self, new: str) -> bool:
        if not self._stops:
            self._parts.append(new)
            return False
        window = self._tail + new
        found = [at for at in (window.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self._tail = window[: min(found)]
            self.stopped = True
            return True
        # A stop string may begin in the last characters: hold one fewer than the longest has.
        keep = self._longest - 1
        cut = max(0, len(window) - keep)
        self._parts.append(window[:cut])
        self._tail = window[cut:]
        return False
