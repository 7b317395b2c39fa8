"""Batches over one model: a desk where a prompt is computed, and rows that decode together.

A row's caches are of one size from the start (slots x context), so a worker holds what was planned
for it and no more. Models with a cache of a kind that cannot be joined decode row by row (Apart).
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

import mlx.core as mx
import msgspec
from mlx_lm.models.cache import make_prompt_cache

from worker.engines.batched.parts import NO_TOKEN, DecodeFailed
from worker.engines.mlx import sampling
from worker.engines.mlx.layers import (
    Shape,
    can_join,
    for_desk,
    for_rows,
    keep_all,
    leaves,
    state_shapes,
)


class Size(msgspec.Struct, frozen=True):
    """What a context is made for."""

    slots: int
    context_tokens: int  # of one sequence
    chunk: int  # prompt tokens in one batch
    gpu: bool


class _Saved(msgspec.Struct, frozen=True):
    """A computed prompt: its caches, which nobody writes to any more."""

    caches: list[Any]
    length: int


class Logits(msgspec.Struct, frozen=True):
    """One row of logits, kept on the device."""

    row: Any  # (1, vocabulary)

    def tobytes(self) -> bytes:
        """All bits, for comparing two rows."""
        return bytes(memoryview(self.row.astype(mx.float32)))


class _Desk:
    """What both kinds of context share: prompts, and drawing from logits."""

    def __init__(self, network: Any, size: Size) -> None:
        self._network = network
        self._size = size
        self.desk_length = 0
        self._desk = self._fresh()
        self._logits: Any = None  # (rows, vocabulary) of the last batch

    def sampler(self, seed: int, temperature: float) -> sampling.Sampler:
        """Dice of its own for one answer."""
        return sampling.Sampler(seed, temperature)

    def draw(self, samplers: Sequence[sampling.Sampler]) -> list[int]:
        """The next token of each row of the last decode; raises DecodeFailed."""
        with _failing():
            drawn = sampling.draw(self._logits, samplers)
            if NO_TOKEN in drawn:
                self._cleanse()
        return drawn

    def draw_first(self, sampler: sampling.Sampler, logits: Logits) -> int:
        """The token after a prompt whose logits were kept; raises DecodeFailed."""
        with _failing():
            return sampling.draw(logits.row, [sampler])[0]

    def logits(self, row: int) -> Logits:
        """One row of the last decode, computed."""
        found = mx.contiguous(self._logits[row : row + 1])
        with _failing():
            mx.eval(found)
        return Logits(found)

    def desk_logits(self) -> Logits:
        """The logits after the prompt on the desk."""
        return self.logits(0)

    def prefill(self, tokens: Sequence[int], wants_logits: bool) -> None:
        """Append tokens to the desk; raises DecodeFailed.

        Where logits are wanted the last token goes by itself: the output layer of a whole chunk
        would cost as much as many blocks.
        """
        with _failing():
            whole = tokens[:-1] if wants_logits else tokens
            if whole:
                self._network(mx.array([whole]), cache=self._desk)
                mx.eval([one.state for one in self._desk])
            if wants_logits:
                self._logits = self._network(mx.array([tokens[-1:]]), cache=self._desk)[:, -1]
                mx.eval(self._logits, [one.state for one in self._desk])
        self.desk_length += len(tokens)

    def take_desk(self) -> tuple[_Saved, int]:
        """What the desk holds, as it is, and its size in bytes; the desk is empty after."""
        saved = _Saved(self._desk, self.desk_length)
        self.clear_desk()
        return saved, sum(int(one.nbytes) for one in leaves(saved.caches))

    def begin_desk(self, state: _Saved, length: int) -> bool:
        """Start the empty desk with the first tokens of a saved prompt; False if it cannot.

        Of a prompt that ends there the last token was computed by itself, not in its chunk.
        """
        surplus = state.length - length
        if surplus < 1 or not keep_all(state.caches):
            return False
        self._desk = copy.deepcopy(state.caches)
        for one in leaves(self._desk):
            one.trim(surplus)
        self.desk_length = length
        return True

    def clear_desk(self) -> None:
        """Forget the prompt being computed."""
        self._desk = self._fresh()
        self.desk_length = 0

    def _fresh(self) -> list[Any]:
        return [for_desk(one) for one in make_prompt_cache(self._network)]

    def _cleanse(self) -> None:
        """Undo what a row without numbers left behind."""


class Together(_Desk):
    """Rows that decode in one batch."""

    def __init__(self, network: Any, size: Size, used: Sequence[Any]) -> None:
        super().__init__(network, size)
        self._caches = [for_rows(one, size.slots, size.context_tokens) for one in used]
        self._leaves = list(leaves(self._caches))
        self._lengths = [0] * size.slots
        self._finish()

    @property
    def cache_bytes(self) -> int:
        """What the rows hold, whether in use or not."""
        return sum(int(one.nbytes) for one in self._arrays())

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], first: int = 0, pad: bool = False
    ) -> None:
        """Compute one token each for rows from `first` on; raises DecodeFailed.

        With `pad` the only row is computed twice. Nothing is waited for: `draw` does.
        """
        count = len(tokens)
        shape = Shape(positions, first, pad=pad, context_tokens=self._size.context_tokens)
        given = [*tokens, tokens[0]] if pad else list(tokens)
        with _failing():
            for leaf in self._leaves:
                leaf.begin(shape)
            computed = self._network(mx.array(given)[:, None], cache=self._caches)
            self._logits = computed[:count, -1]
            mx.async_eval(self._logits, self._arrays())  # type: ignore[no-untyped-call]
        for row, position in enumerate(positions, first):
            self._lengths[row] = position + 1

    def restore(self, row: int, state: _Saved) -> None:
        """Copy a saved prompt into a row; raises DecodeFailed."""
        with _failing():
            for leaf, saved in zip(self._leaves, leaves(state.caches), strict=True):
                leaf.fill(row, saved)
            self._finish()
        self._lengths[row] = state.length

    def move(self, origin: int, target: int) -> None:
        """Put one row's sequence in place of another's; raises DecodeFailed."""
        length = self._lengths[origin]
        with _failing():
            copies = [leaf.copy_of(origin, length) for leaf in self._leaves]
            mx.eval([one.state for one in copies])
            for leaf, copied in zip(self._leaves, copies, strict=True):
                leaf.fill(target, copied)
            self._finish()
        self._lengths[target] = length

    def clear(self, row: int) -> None:
        """Forget a row."""
        for leaf in self._leaves:
            leaf.clear(row)
        self._lengths[row] = 0

    def close(self) -> None:
        """Let go of all arrays."""
        self._caches, self._leaves, self._desk = [], [], []
        self._network = self._logits = None

    def _cleanse(self) -> None:
        for leaf in self._leaves:
            leaf.cleanse()
            mx.eval(leaf.arrays())

    def _finish(self) -> None:
        mx.eval(self._arrays())

    def _arrays(self) -> list[Any]:
        return [one for leaf in self._leaves for one in leaf.arrays()]


class Apart(_Desk):
    """Rows that decode one after another, each with caches of the model's own making."""

    cache_bytes = 0  # they grow as they are used

    def __init__(self, network: Any, size: Size) -> None:
        super().__init__(network, size)
        self._caches = [self._fresh() for _ in range(size.slots)]

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], first: int = 0, pad: bool = False
    ) -> None:
        """Compute one token each for rows from `first` on; raises DecodeFailed."""
        rows = []
        with _failing():
            for row, token in enumerate(tokens, first):
                rows.append(self._network(mx.array([[token]]), cache=self._caches[row])[:, -1])
                mx.eval(rows[-1], [one.state for one in self._caches[row]])
            self._logits = mx.concatenate(rows)

    def restore(self, row: int, state: _Saved) -> None:
        """Copy a saved prompt into a row."""
        self._caches[row] = copy.deepcopy(state.caches)

    def move(self, origin: int, target: int) -> None:
        """Put one row's sequence in place of another's."""
        self._caches[target], self._caches[origin] = self._caches[origin], self._fresh()

    def clear(self, row: int) -> None:
        """Forget a row."""
        self._caches[row] = self._fresh()

    def close(self) -> None:
        """Let go of all arrays."""
        self._caches, self._desk = [], []
        self._network = self._logits = None


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """MLX's own errors, such as a buffer that it cannot have, and those of a family's code."""
    try:
        yield
    except AssertionError:
        raise  # a bug of ours
    except Exception as error:
        raise DecodeFailed(str(error) or type(error).__name__) from error


class Tried(msgspec.Struct, frozen=True):
    """What computing two tokens showed of a model."""

    joins: bool  # rows can be decoded together
    used: list[Any]  # caches of its shapes
    vocabulary_tokens: int  # as many as it has logits


def tried(network: Any) -> Tried:
    """Compute two tokens; a state whose shape follows from how many there were cannot be joined."""
    used = [for_desk(one) for one in make_prompt_cache(network)]
    shapes = []
    for _ in range(2):
        logits = network(mx.array([[0]]), cache=used)
        mx.eval(logits, [one.state for one in used])
        shapes.append(state_shapes(used))
    return Tried(can_join(used) and shapes[0] == shapes[1], used, int(logits.shape[-1]))
