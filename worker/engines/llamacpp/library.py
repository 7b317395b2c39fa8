"""llama.cpp's shared library: imported on demand, its log kept in a short buffer, never printed."""

import ctypes
import os
from collections import deque
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any

from worker.engines.options import LoadError

LOG_LINES_MAX = 40  # enough for the lines before a failure; the rest is progress
LOAD_LINES_MAX = 200  # lines that tell layers and buffers: a few for each device and cache
INFO, WARNING = 2, 3  # GGML_LOG_LEVEL_WARN in ggml.h; 4 is error
SPIN_COUNT = "1000"
"""How often a thread of GNU OpenMP looks for the others before it sleeps: some 15 us.

By itself it looks for milliseconds, hundreds of times a token, which on a busy machine keeps the
awaited thread from running: 8 rows of a 150 M model with 2 threads beside two busy processes took
1,370 ms a step, against 200 with this and 183 without looking at all. A user's own value stays.
"""
CONTINUED = 5  # the line before goes on

log: deque[str] = deque(maxlen=LOG_LINES_MAX)  # warnings and errors, oldest first
load_log: deque[str] = deque(maxlen=LOAD_LINES_MAX)  # where the model went, oldest first
_kept: list[Any] = []  # the callback: the library holds only its address


@cache
def native() -> ModuleType:
    """The bindings, with the log caught; raises LoadError."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read once, when the library is loaded
    try:
        import llama_cpp
    except ImportError as error:
        raise LoadError(
            "the engine llamacpp is not installed",
            str(error),
            "pip install llama-cpp-python, or choose another engine",
        ) from error
    except (OSError, RuntimeError) as error:  # the shared library itself does not load
        raise LoadError(
            "the engine llamacpp is installed but its library does not load",
            str(error),
            "pip install --force-reinstall --no-cache-dir llama-cpp-python",
        ) from error
    _kept.append(llama_cpp.llama_log_callback(_keep_line))
    llama_cpp.llama_log_set(_kept[-1], ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    module: ModuleType = llama_cpp
    return module


def version() -> str:
    """The bindings' version; they pin one version of llama.cpp."""
    return metadata.version("llama-cpp-python")


def last_lines(count: int = 2) -> str:
    """The end of the library's log, for an error message; "" when it said nothing."""
    return "; ".join(list(log)[-count:])


def _keep_line(level: int, text: bytes, _: Any) -> None:
    if level == INFO and (b"buffer size" in text or b"layers to GPU" in text):
        load_log.append(text.decode("utf-8", "replace").strip())
    if level < WARNING or level == CONTINUED:
        return
    line = text.decode("utf-8", "replace").strip()
    if line:
        log.append(line)
