"""The cache of each layer: one prompt's on the desk, and a row for each live sequence.

mlx-lm's batch of caches (BatchKVCache) pads on the left: where a sequence's cells lie, and so in
which order attention adds them, depends on the longest beside it. Here each row is filled from its
first cell, and what lies behind its end is masked to exactly nothing: the bits stay its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, CacheList, KVCache, RotatingKVCache

SPAN_CELLS = 64
"""Cells are read in whole steps of this: few shapes, and those that kernels like best."""


class Shape:
    """What one decode is over, shared by all layers: which rows, at which positions."""

    def __init__(
        self, positions: Sequence[int], first: int, *, pad: bool, context_tokens: int
    ) -> None:
        self.first = first
        self.count = len(positions)
        self.pad = pad
        self.rows = mx.arange(first, first + self.count)
        self.writes = mx.array(list(positions))
        self.positions = mx.array([*positions, positions[0]]) if pad else self.writes
        steps = max(positions) // SPAN_CELLS + 1
        self.span = min(steps * SPAN_CELLS, context_tokens)
        self._masks: dict[int, Any] = {}

    @property
    def key(self) -> tuple[int, int, bool]:
        """Which rows are decoded."""
        return self.first, self.count, self.pad

    def mask(self, window: int) -> Any:
        """Which cells each row sees, (rows, 1, 1, cells): up to its own, from a window's start."""
        found = self._masks.get(window)
        if found is None:
            at = self.positions[:, None, None, None]
            cells = mx.arange(self.span)
            found = cells <= at
            if window:
                found = found & (cells > at - window)
            self._masks[window] = found
        return found


class Windowed(KVCache):  # type: ignore[misc]  # mlx-lm has no types
    """A window's layer on the desk, with all cells kept: so it can be cut back to any length."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def make_mask(self, N: int, return_array: bool = False, window_size: int | None = None) -> Any:  # noqa: N803 - mlx-lm calls it by this name
        """As mlx-lm's rotating cache, whose own size is the window where the model names none."""
        return super().make_mask(
            N, return_array=return_array, window_size=window_size or self.window
        )


class Cells:
    """Keys and values of one attention layer for all rows, allocated once: (rows, heads, cells)."""

    def __init__(self, like: Any, rows: int, context_tokens: int) -> None:
        self.window: int = getattr(like, "window", 0)
        self.keys, self.values = (
            mx.zeros((rows, one.shape[1], context_tokens, one.shape[3]), one.dtype)
            for one in (like.keys, like.values)
        )
        self.offset: Any = 0  # what models read: the position of each row's new token
        self._shape: Shape | None = None

    # -- what a model calls ----------------------------------------------------------------------

    def make_mask(self, N: int, return_array: bool = False, window_size: int | None = None) -> Any:  # noqa: N803 - mlx-lm calls it by this name
        """The mask of one new token for each row."""
        assert N == 1, "rows advance by one token"
        assert self._shape is not None, "a model runs inside a decode"
        return self._shape.mask(window_size or self.window)

    def update_and_fetch(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """Write each row's new token at its own position; what attention then reads."""
        shape = self._shape
        assert shape is not None, "a model runs inside a decode"
        self.keys[shape.rows, :, shape.writes] = keys[: shape.count, :, 0]
        self.values[shape.rows, :, shape.writes] = values[: shape.count, :, 0]
        return self.keys_and_values()

    def keys_and_values(self) -> tuple[Any, Any]:
        """What attention reads: for layers that share another's keys, too."""
        shape = self._shape
        assert shape is not None, "a model runs inside a decode"
        rows = slice(shape.first, shape.first + shape.count)
        keys, values = (one[rows, :, : shape.span] for one in (self.keys, self.values))
        if shape.pad:
            return mx.repeat(keys, 2, axis=0), mx.repeat(values, 2, axis=0)
        return keys, values

    # -- what the context calls ------------------------------------------------------------------

    def begin(self, shape: Shape) -> None:
        """Before a decode."""
        self._shape, self.offset = shape, shape.positions

    def fill(self, row: int, saved: Any) -> None:
        """Take over a prompt's cells."""
        length = saved.offset
        self.keys[row : row + 1, :, :length] = saved.keys[..., :length, :]
        self.values[row : row + 1, :, :length] = saved.values[..., :length, :]

    def copy_of(self, row: int, length: int) -> Any:
        """A row's cells in arrays of their own, for `fill`: a view would be written over."""
        copy = KVCache()
        copy.keys, copy.values = (
            mx.contiguous(one[row : row + 1, :, :length]) for one in (self.keys, self.values)
        )
        copy.offset = length
        return copy

    def clear(self, row: int) -> None:
        """Nothing: what a row's end hides is never seen."""

    def cleanse(self) -> None:
        """Put zeros where an overflowed row left no numbers: even hidden ones would be added."""
        self.keys, self.values = (
            mx.where(mx.isfinite(one), one, 0).astype(one.dtype) for one in (self.keys, self.values)
        )

    def arrays(self) -> list[Any]:
        """What a decode must compute beside the logits."""
        return [self.keys, self.values]


class States(ArraysCache):  # type: ignore[misc]  # mlx-lm has no types
    """Running states of one recurrent layer for all rows; one that waits is kept by itself."""

    def __init__(self, like: Any, rows: int) -> None:
        super().__init__(len(like.cache))
        self._apart: list[list[Any]] = [[None] * len(like.cache) for _ in range(rows)]
        self._held: tuple[int, int, bool] | None = None  # the rows that `cache` has together

    def begin(self, shape: Shape) -> None:
        """Bring the rows of a decode together, unless they still are."""
        if self._held == shape.key:
            return
        self._spread()
        rows = [self._apart[row] for row in range(shape.first, shape.first + shape.count)]
        rows += rows[:1] if shape.pad else []
        self.cache = [_joined(parts) for parts in zip(*rows, strict=True)]
        self._held = shape.key

    def fill(self, row: int, saved: Any) -> None:
        """Take over a prompt's states."""
        self._spread()
        self._apart[row] = list(saved.cache)

    def copy_of(self, row: int, length: int) -> Any:
        """A row's states, for `fill`."""
        self._spread()
        copy = ArraysCache(len(self.cache))
        copy.cache = list(self._apart[row])
        return copy

    def clear(self, row: int) -> None:
        """Forget a row's states."""
        self._spread()
        self._apart[row] = [None] * len(self.cache)

    def cleanse(self) -> None:
        """Nothing: no row's states are added to another's."""

    def arrays(self) -> list[Any]:
        """What a decode must compute beside the logits."""
        return [one for one in self.cache if one is not None]

    def _spread(self) -> None:
        if self._held is None:
            return
        first, count, _ = self._held
        for at in range(count):
            self._apart[first + at] = [
                None if one is None else one[at : at + 1] for one in self.cache
            ]
        self._held = None
        self.cache = [None] * len(self.cache)


def _joined(parts: Sequence[Any]) -> Any:
    """One state of all rows; a row that has none yet begins with zeros, as models do."""
    known = next((part for part in parts if part is not None), None)
    if known is None:
        return None
    return mx.concatenate([mx.zeros_like(known) if part is None else part for part in parts])


def leaves(caches: Sequence[Any]) -> Iterator[Any]:
    """The caches of all layers; some layers have several."""
    for cache in caches:
        if isinstance(cache, CacheList):
            yield from leaves(cache.caches)
        else:
            yield cache


def for_desk(cache: Any) -> Any:
    """A layer's cache for computing prompts: as the model makes it, but windows keep all."""
    if isinstance(cache, CacheList):
        return CacheList(*map(for_desk, cache.caches))
    if type(cache) is RotatingKVCache and not cache.keep:
        return Windowed(cache.max_size)
    return cache


def keep_all(caches: Sequence[Any]) -> bool:
    """Whether a prompt can be cut back to its beginning.

    By kind: some that say so have dropped it, such as llama4's chunks.
    """
    return all(type(one) in {KVCache, Windowed} for one in leaves(caches))


def can_join(caches: Sequence[Any]) -> bool:
    """Whether rows of every layer can be decoded together here."""
    return all(type(one) in {KVCache, Windowed, ArraysCache} for one in leaves(caches))


def state_shapes(caches: Sequence[Any]) -> list[tuple[int, ...] | None]:
    """The shapes of all running states."""
    states = (one for leaf in leaves(caches) if type(leaf) is ArraysCache for one in leaf.cache)
    return [None if one is None else tuple(one.shape) for one in states]


def for_rows(used: Any, rows: int, context_tokens: int) -> Any:
    """A layer's cache for all rows, of the shape of one that was used."""
    if isinstance(used, CacheList):
        return CacheList(*(for_rows(one, rows, context_tokens) for one in used.caches))
    if isinstance(used, ArraysCache):
        return States(used, rows)
    return Cells(used, rows, context_tokens)
