"""Ask MLX for its device and the limits that Metal gives it."""

import importlib.metadata
from typing import Any


def probe() -> dict[str, Any]:
    """Give MLX's device facts, version, and whether Metal answers; {} when not installed."""
    try:
        import mlx.core as mx
    except ImportError:
        return {}
    return {
        "version": importlib.metadata.version("mlx"),
        "metal": bool(mx.metal.is_available()),
        "device": dict(mx.device_info()) if mx.metal.is_available() else {},
    }
