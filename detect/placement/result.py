"""What placement is asked (Limits) and what it answers (Plan). Sizes in bytes."""

from typing import Literal

import msgspec

EngineName = Literal["llamacpp", "mlx"]
CacheType = Literal["f16", "q8_0"]


class Limits(msgspec.Struct, frozen=True):
    """What the user or the caller fixes; the rest is worked out."""

    engine: Literal["auto", "llamacpp", "mlx"] = "auto"
    workers: int | None = None
    slots: int | None = None  # of each worker
    seed_variation: bool = True  # False: one slot each, votes come from several workers
    gpu_layers: int | Literal["auto", "all"] = "auto"
    context_tokens: int | None = None  # of one sequence, prompt and answer together
    tensor_split: tuple[float, ...] = ()
    kv_type: CacheType | Literal["auto"] = "auto"
    integrated: bool = False  # use integrated GPUs that are left alone by default
    quantised_cache: bool = False  # the caller's engine can hold keys and values in q8_0
    keep_experts: bool = False  # the caller's engine can hold a mixture's experts in main memory
    gains: dict[str, dict[int, float]] = {}
    """Measured by earlier loads of this model: by place, how many times the tokens/s of one slot
    so many slots gave together."""
    promised: dict[
        str, int
    ] = {}  # bytes that workers not yet loaded will take, by device or "host"
    short: dict[str, int] = {}
    """Bytes that llama.cpp's own layout took beyond the sums, by device or "host"."""
    measured: dict[
        str, int
    ] = {}  # real totals of earlier loads on one place, by placement.readback.key


class Sum(msgspec.Struct, frozen=True):
    """What one place (a device, or main memory) must hold for one worker."""

    place: str
    weight_bytes: int = 0
    cache_bytes: int = 0  # keys and values
    state_bytes: int = 0  # of recurrent layers
    compute_bytes: int = 0
    process_bytes: int = 0  # the process itself, and the driver's context
    budget_bytes: int = 0
    measured_bytes: int | None = None  # of an earlier load like this one; it is believed

    @property
    def total_bytes(self) -> int:
        """Everything together."""
        return self.measured_bytes or (
            self.weight_bytes
            + self.cache_bytes
            + self.state_bytes
            + self.compute_bytes
            + self.process_bytes
        )

    @property
    def fits(self) -> bool:
        """Whether it is within the budget."""
        return self.total_bytes <= self.budget_bytes


class PlannedWorker(msgspec.Struct, frozen=True):
    """One worker to start. Names follow llama.cpp's parameters where there is one."""

    engine: EngineName
    model: str
    slots: int
    context_tokens: int  # of one sequence
    cells: int  # of all sequences together: the cap on tokens x sequences
    streams: int  # sequences that the cache holds
    gpu_layers: int = 0  # -1: all
    split_mode: Literal["none", "layer"] = "none"
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    devices: tuple[str, ...] = ()  # ids, in the order the worker counts them; none: the CPU
    env: dict[str, str] = {}  # for the worker's process only
    threads: int = 1
    cpus: tuple[int, ...] = ()  # to pin to; none: anywhere
    kv_type: CacheType = "f16"
    batch_tokens: int = 512
    prefix_bytes: int = 256 << 20  # of main memory for prompts kept for reuse
    experts_in_main_memory: bool = False
    wired_limit_bytes: int | None = None  # for mx.set_wired_limit
    sums: tuple[Sum, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """A way to run the model that was not taken."""

    what: str
    why: str
    need_bytes: int | None = None
    have_bytes: int | None = None


class Plan(msgspec.Struct, frozen=True):
    """What would run, why, and each way that was refused, with its sum. `error`: nothing runs."""

    workers: tuple[PlannedWorker, ...] = ()
    reasons: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""
    fault: Literal["", "usage", "engine", "unknown", "room"] = ""  # what kind of error it is
