"""Prompts computed before, kept in host memory so that later requests share the work."""

from collections import OrderedDict
from typing import Any

import msgspec

PREFIXES_MAX = 32  # entries: looking for a common beginning visits each


class Prefix(msgspec.Struct, frozen=True):
    """One computed prompt: its tokens, what the cache held of them, the logits after the last."""

    tokens: tuple[int, ...]
    state: Any  # what Context.restore accepts
    state_bytes: int
    logits: Any  # the row after the last token, as Context.logits gave it


class Prefixes:
    """A bounded table, least recently used out first; the newest entry always stays."""

    def __init__(self, bytes_max: int) -> None:
        self._entries: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self._bytes_max = bytes_max
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, tokens: tuple[int, ...]) -> Prefix | None:
        """The entry for exactly this prompt."""
        found = self._entries.get(tokens)
        if found is not None:
            self._entries.move_to_end(tokens)
        return found

    def put(self, prefix: Prefix) -> None:
        """Keep a prompt, and drop the oldest until the bounds hold again."""
        replaced = self._entries.pop(prefix.tokens, None)
        self._bytes += prefix.state_bytes - (replaced.state_bytes if replaced else 0)
        self._entries[prefix.tokens] = prefix
        while len(self._entries) > 1 and (
            self._bytes > self._bytes_max or len(self._entries) > PREFIXES_MAX
        ):
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= dropped.state_bytes

    def nearest(self, tokens: tuple[int, ...], grid: int) -> tuple[Prefix | None, int]:
        """The entry with the longest common beginning, and its length, a multiple of `grid`.

        At least the prompt's last token is left to compute, since its logits are wanted.
        """
        best: Prefix | None = None
        best_length = 0
        for prefix in self._entries.values():
            length = min(_common(prefix.tokens, tokens), len(tokens) - 1) // grid * grid
            if length > best_length:
                best, best_length = prefix, length
        if best is not None:
            self._entries.move_to_end(best.tokens)
        return best, best_length

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
