"""How an engine is asked for, and how it says that it cannot be had."""

from typing import Literal

import msgspec

from protocol.errors import SwarmError

CONTEXT_TOKENS_DEFAULT = 4096  # the cache of eight slots of a 0.5 B model then takes below 1 GB
CONTEXT_TOKENS_MIN = 16  # room for a template and a word


class EngineOptions(msgspec.Struct, frozen=True):
    """What a user or a plan may set; None leaves the choice to the engine."""

    context_tokens: int | None = (
        None  # of one sequence; None: what the model was trained on, ≤ 4096
    )
    gpu_layers: int | None = (
        None  # None or -1: all of them, where llama.cpp was built for the GPU; 0: none
    )
    split_mode: Literal["none", "layer"] | None = None  # over several GPUs; None: llama.cpp's own
    main_gpu: int = 0  # the one that is used with split_mode "none"
    tensor_split: tuple[float, ...] = ()  # each GPU's share of the layers; (): by free memory
    kv_type: Literal["f16", "q8_0"] = "f16"  # of keys and values; q8_0 needs flash attention
    experts_in_main_memory: bool = False  # of a mixture, while the rest is on a GPU
    threads: int | None = None  # None: the physical cores this process may use
    batch_tokens: int | None = None  # prompt tokens computed in one step; None: about 0.3 s of work
    prefix_bytes: int = (
        256 * 2**20
    )  # host memory for prompts kept for reuse; the newest always stays
    wired_limit_bytes: int | None = None  # of memory that Metal keeps resident; None: what is used


class LoadError(SwarmError):
    """A model cannot be loaded: what was seen, why, and what to do next.

    `no_room`: for lack of memory, so that a smaller worker may fit.
    """

    def __init__(
        self, seen: str, because: str = "", hint: str = "", *, no_room: bool = False
    ) -> None:
        super().__init__(": ".join(part for part in (seen, because) if part))
        self.no_room = no_room
        self.seen = seen
        self.because = because
        self.hint = hint


def at_least(context_tokens: int, batch_tokens: int, threads: int | None) -> None:
    """Refuse sizes that no engine can work with; raises LoadError."""
    for name, value, least in (
        ("--context", context_tokens, CONTEXT_TOKENS_MIN),
        ("batch_tokens", batch_tokens, 1),
        ("--threads", 1 if threads is None else threads, 1),
    ):
        if value < least:
            raise LoadError(f"{name} is {value}", f"the least is {least}", f"give {name} {least}")
