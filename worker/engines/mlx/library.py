"""MLX and mlx-lm: imported on demand, bounded in the memory they keep, and put back afterwards."""

import os
import sys
from importlib import metadata
from types import ModuleType
from typing import Any

from detect.advice import mlx_line
from worker.engines.options import LoadError

CACHE_BYTES = 256 * 2**20
"""Freed buffers that MLX keeps for reuse: enough for a step's own, and no second model beside one.
By itself it keeps as much as the device may hold."""

QUIET = {
    "HF_HUB_OFFLINE": "1",  # a model is a folder here: nothing is asked of anyone
    "TRANSFORMERS_VERBOSITY": "error",  # it tells of a missing PyTorch, which is not used
    "TOKENIZERS_PARALLELISM": "false",  # no threads for one prompt
}


def native() -> tuple[ModuleType, ModuleType]:
    """`mlx.core` and `mlx_lm.utils`; raises LoadError."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import mlx.core
        import mlx_lm.utils
    except ModuleNotFoundError as error:
        raise LoadError(
            "the engine mlx is not installed", str(error), f"{mlx_line(sys.platform)}"
        ) from error
    except Exception as error:  # a library below it: whatever it raises, nothing can be loaded
        raise LoadError(
            "the engine mlx is installed but does not load",
            str(error),
            f"{mlx_line(sys.platform)} --force-reinstall",
        ) from error
    return mlx.core, mlx_lm.utils


def version() -> str:
    """Both versions: either may change a text."""
    return f"{metadata.version('mlx-lm')} (mlx {metadata.version('mlx')})"


def no_room(error: Exception) -> bool:
    """Whether MLX says that a buffer cannot be had (allocator.cpp of its Metal, CUDA and CPU)."""
    said = f"{error} {error.__cause__ or ''}".lower()
    return isinstance(error, MemoryError) or any(
        words in said for words in ("unable to allocate", "maximum allowed buffer", "out of memory")
    )


class Settings:
    """What this engine sets for the whole process, and puts back when it is closed.

    On a CPU no kernel is compiled: MLX calls a C++ compiler for that while it runs, which a user's
    machine may not have, and which takes longer than a small model's load.
    """

    def __init__(self, mx: Any, *, gpu: bool) -> None:
        self._mx = mx
        self._device = mx.default_device()
        self._wired_bytes: int | None = None
        self._kept_bytes = mx.set_cache_limit(CACHE_BYTES)
        self._compiles = gpu
        if not gpu:
            mx.set_default_device(mx.cpu)
            mx.disable_compile()

    def wire(self, limit_bytes: int) -> None:
        """Keep so much resident on the GPU at most, where Metal can (macOS 15 and later)."""
        if self._mx.metal.is_available():
            most = self._mx.device_info()["max_recommended_working_set_size"]
            self._wired_bytes = self._mx.set_wired_limit(min(limit_bytes, most))

    def restore(self) -> None:
        """Put everything back, and let go of the buffers kept for reuse."""
        self._mx.synchronize()
        if self._wired_bytes is not None:
            self._mx.set_wired_limit(self._wired_bytes)
        self._mx.set_cache_limit(self._kept_bytes)
        self._mx.clear_cache()
        self._mx.set_default_device(self._device)
        if not self._compiles:
            self._mx.enable_compile()


def on_gpu(mx: Any, gpu_layers: int | None) -> bool:
    """Whether to compute on a GPU: MLX has all of a model there, or nothing."""
    return gpu_layers != 0 and mx.default_device() == mx.gpu
