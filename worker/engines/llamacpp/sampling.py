"""One chain of samplers per slot, with its own seed: the same seed and logits, the same token."""

import ctypes
from typing import Any

from worker.engines.batched.tail import MIN_P, TOP_K, TOP_P
from worker.engines.llamacpp.library import native


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
    """The library's table of tokens to choose from, filled from a saved row of logits.

    `llama_sampler_sample` reads the context's last batch only; the first token of an answer is
    drawn from the logits saved with its prompt. The steps are the same: fill, apply, accept.
    """

    def __init__(self, count: int) -> None:
        import numpy as np

        self._lib = native()
        self._rows = np.zeros(count, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
        self._ids = np.arange(count, dtype=np.int32)
        self._array = self._lib.llama_token_data_array()
        self._data = self._rows.ctypes.data_as(self._lib.llama_token_data_p)

    def sample(self, sampler: Sampler, logits: Any) -> int:
        """Draw from saved logits, of the whole vocabulary in order."""
        self._rows["id"] = self._ids  # samplers sort the table in place
        self._rows["logit"] = logits
        self._rows["p"] = 0
        array = self._array
        array.data, array.size = self._data, len(self._rows)
        array.selected, array.sorted = -1, False
        self._lib.llama_sampler_apply(sampler.chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        self._lib.llama_sampler_accept(sampler.chain, token)
        return token
