"""Memory and cores by psutil, for systems without /proc. psutil refuses to import on some."""

from typing import Any


def probe() -> dict[str, Any]:
    """Give total, available and free swap bytes, and physical cores; {} without psutil."""
    try:
        import psutil
    except (ImportError, NotImplementedError):  # the latter from Python 3.13 on Android
        return {}
    memory = psutil.virtual_memory()
    return {
        "total": int(memory.total),
        "available": int(memory.available),
        "swap_free": int(psutil.swap_memory().free),
        "physical": psutil.cpu_count(logical=False),
    }
