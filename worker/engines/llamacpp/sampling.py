"""One chain of samplers per slot, with its own seed: the same seed and logits, the same token."""

import ctypes
from collections.abc import Sequence
from typing import Any

from worker.engines.batched.parts import NO_TOKEN
from worker.engines.batched.tail import MIN_P, TOP_K, TOP_P
from worker.engines.llamacpp.library import native

LEADING_VOCABULARY = 16_384
"""From so many tokens on, looking for the leading ones first is faster than llama.cpp's walk over
all: for 8 rows of 151,936 tokens 0.35 against 1.0 ms on an EPYC, for 8,192 about the same."""
NEAR, FAR = 4.0, 16.0
"""How far below the best logit a token still leads. Within NEAR there are mostly 40, and then the
choice is exact, but for which of several equal ones: llama.cpp's sort leaves that to chance. Else
what is left out has together less than 40 e^-16 of the best one's chance, and only top-p's sum
could tell; MIN_P leaves nothing beyond 3.0."""


class Sampler:
    """Draws tokens for one answer. Must be closed; temperature 0 takes the likeliest token."""

    def __init__(self, seed: int, temperature: float) -> None:
        self._lib = native()
        self.chain = self._lib.llama_sampler_chain_init(
            self._lib.llama_sampler_chain_default_params()
        )
        for link in self._links(seed, temperature):
            self._lib.llama_sampler_chain_add(self.chain, link)

    def _links(self, seed: int, temperature: float) -> list[Any]:
        if temperature <= 0:
            return [self._lib.llama_sampler_init_greedy()]
        return [
            self._lib.llama_sampler_init_top_k(TOP_K),
            self._lib.llama_sampler_init_top_p(TOP_P, 1),
            self._lib.llama_sampler_init_min_p(MIN_P, 1),
            self._lib.llama_sampler_init_temp(temperature),
            self._lib.llama_sampler_init_dist(seed),
        ]

    def close(self) -> None:
        """Free the chain and its links."""
        if self.chain:
            self._lib.llama_sampler_free(self.chain)
            self.chain = None


class Candidates:
    """The library's table of tokens to choose from, filled from rows of logits.

    `llama_sampler_sample` reads the context's last batch only, while the first token of an answer
    is drawn from the logits saved with its prompt. The steps are the same: fill, apply, accept.
    Of a large vocabulary only the leading tokens are filled in: the chain keeps 40 in any case.
    """

    def __init__(self, count: int) -> None:
        import numpy as np

        self._np = np
        self._lib = native()
        self._rows = np.zeros(count, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
        self._ids = np.arange(count, dtype=np.int32)
        self._array = self._lib.llama_token_data_array()
        self._data = self._rows.ctypes.data_as(self._lib.llama_token_data_p)
        self.leading = count >= LEADING_VOCABULARY

    def sample(self, sampler: Sampler, logits: Any) -> int:
        """Draw from saved logits, of the whole vocabulary in order."""
        if self.leading:
            return self._draw(sampler, logits, self._led_by(logits, logits.max()))
        return self._draw(sampler, logits, self._ids)

    def sample_rows(self, samplers: Sequence[Sampler], logits: Any) -> list[int]:
        """Draw one token for each sampler from its row of logits, (rows, vocabulary)."""
        tops = logits.max(axis=1)
        return [
            self._draw(sampler, row, self._led_by(row, top))
            for sampler, row, top in zip(samplers, logits, tops, strict=True)
        ]

    def _led_by(self, logits: Any, top: Any) -> Any:
        """The tokens near the best, in order: all that the chain would keep."""
        np = self._np
        chosen = np.flatnonzero(logits >= top - NEAR)
        if len(chosen) < TOP_K:
            chosen = np.flatnonzero(logits >= top - FAR)
        return chosen

    def _draw(self, sampler: Sampler, logits: Any, chosen: Any) -> int:
        count = len(chosen)
        if not count:
            return NO_TOKEN  # not a number leads nothing
        self._rows["id"][:count] = chosen  # samplers sort the table in place
        self._rows["logit"][:count] = logits[chosen] if self.leading else logits
        self._rows["p"][:count] = 0
        array = self._array
        array.data, array.size = self._data, count
        array.selected, array.sorted = -1, False
        self._lib.llama_sampler_apply(sampler.chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        self._lib.llama_sampler_accept(sampler.chain, token)
        return token
