"""What an engine that decodes in batches is made of; each library brings its own of these.

A context holds a row for each live sequence, without gaps from row 0, and a desk on which one
prompt at a time is computed. A prompt's state is saved once, and copied into each row that
answers it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

NO_TOKEN = -1
"""Drawn where the logits are no numbers, as when a model's 16-bit values overflow."""


class DecodeFailed(Exception):
    """A batch computed nothing of use; the text says why."""


class Sampler(Protocol):
    """What one answer's tokens are drawn with: its own seed, its own temperature."""

    def close(self) -> None:
        """Free what it holds."""


class Context(Protocol):
    """The cache of keys and values, and the batches computed over it."""

    @property
    def desk_length(self) -> int:
        """Tokens of a prompt that the desk holds."""

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], first: int = 0, pad: bool = False
    ) -> None:
        """Compute one token each for the rows first, first + 1, …; raises DecodeFailed.

        With `pad`, one more row that is thrown away is computed beside them.
        """

    def sampler(self, seed: int, temperature: float) -> Any:
        """A Sampler for `draw` and `draw_first`; temperature 0 takes the likeliest token."""

    def draw(self, samplers: Sequence[Any]) -> list[int]:
        """The next token of each row of the last decode, or NO_TOKEN; raises DecodeFailed."""

    def draw_first(self, sampler: Any, logits: Any) -> int:
        """The token after a prompt whose logits were kept, or NO_TOKEN; raises DecodeFailed."""

    def logits(self, row: int) -> Any:
        """A copy of one row's logits of the last decode, counted from its first row."""

    def desk_logits(self) -> Any:
        """A copy of the logits after the prompt on the desk, when its last chunk was computed."""

    def prefill(self, tokens: Sequence[int], wants_logits: bool) -> None:
        """Append tokens to the desk, at most a chunk of them; raises DecodeFailed."""

    def take_desk(self) -> tuple[Any, int]:
        """What the desk holds, for `restore`, and its size in bytes; the desk is empty after."""

    def begin_desk(self, state: Any, length: int) -> bool:
        """Start the empty desk with the first tokens of a saved prompt; False if it cannot."""

    def clear_desk(self) -> None:
        """Forget the prompt being computed."""

    def restore(self, row: int, state: Any) -> None:
        """Fill a row, from its first cell, with a saved prompt; raises DecodeFailed."""

    def move(self, origin: int, target: int) -> None:
        """Put one row's sequence in place of another's, its bits unchanged; raises DecodeFailed.

        Both rows are then to be cleared.
        """

    def clear(self, row: int) -> None:
        """Forget a row."""

    def close(self) -> None:
        """Free the cache."""


class Model(Protocol):
    """Weights and vocabulary."""

    def piece(self, token: int) -> bytes:
        """The bytes of one token of an answer; none for control tokens."""

    def ends(self, token: int) -> bool:
        """Whether this token ends a generation."""

    def close(self) -> None:
        """Free the weights. Every context of the model must be closed before."""


class Template(Protocol):
    """A question as the model was trained to see it."""

    def tokens(self, system: str, prompt: str) -> tuple[int, ...]:
        """The tokens to compute before the answer; raises Refused when rendering fails."""


class Parts(msgspec.Struct, frozen=True):
    """A loaded engine's parts."""

    model: Model
    context: Context
    template: Template
    chunk_tokens: int  # of a prompt computed in one step, from multiples of it
    prefix_bytes: int  # memory for prompts kept for reuse
