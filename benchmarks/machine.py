"""The machine and the versions that a measurement belongs to."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("local-swarm", "pyzmq", "msgspec", "llama-cpp-python")


def describe() -> dict[str, Any]:
    """Facts that go with every figure; `text` is one line for people."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    facts["text"] = (
        f"{facts['cores']} cores, {facts['processor']}, {facts['system']}, "
        f"Python {facts['python']}, {versions}; load {facts['load']}"
    )
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
