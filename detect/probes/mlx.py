"""Ask MLX for its device and the limits that Metal gives it."""

import importlib.metadata
from importlib.util import find_spec
from typing import Any


def probe() -> dict[str, Any]:
    """Give MLX's device facts, version, and whether Metal answers; {} when not installed.

    `lm`: whether mlx-lm is there too, which our engine needs beside it.
    """
    try:
        import mlx.core as mx
    except ImportError:
        return {}
    return {
        "version": importlib.metadata.version("mlx"),
        "lm": find_spec("mlx_lm") is not None,
        "metal": bool(mx.metal.is_available()),
        "device": dict(mx.device_info()) if mx.metal.is_available() else {},
    }
