"""How an engine is asked for, and how it says that it cannot be had."""

import msgspec

from protocol.errors import SwarmError


class EngineOptions(msgspec.Struct, frozen=True):
    """What a user or a plan may set; None leaves the choice to the engine."""

    context_tokens: int | None = (
        None  # of one sequence; None: what the model was trained on, ≤ 4096
    )
    gpu_layers: int | None = (
        None  # None or -1: all of them, where llama.cpp was built for the GPU; 0: none
    )
    threads: int | None = None  # None: the physical cores this process may use
    batch_tokens: int | None = None  # prompt tokens computed in one step; None: about 0.3 s of work
    prefix_bytes: int = (
        256 * 2**20
    )  # host memory for prompts kept for reuse; the newest always stays


class LoadError(SwarmError):
    """A model cannot be loaded: what was seen, why, and what to do next."""

    def __init__(self, seen: str, because: str = "", hint: str = "") -> None:
        super().__init__(": ".join(part for part in (seen, because) if part))
        self.seen = seen
        self.because = because
        self.hint = hint
