"""Which engine loads a model, and where the built-in one lies in the form that it takes."""

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

BUILT_IN = "abacus"


def engine_of(model: str, installed: Collection[str] | None = None) -> str:
    """The engine that `auto` means for a model's name: a folder has MLX form.

    The built-in model has both forms. Where only MLX is installed, as on Apple Silicon, it is that.
    `installed`: engines of another machine; None looks for those of this one.
    """
    if model.startswith("scripted:"):
        return "scripted"
    if model == BUILT_IN:
        known = _installed() if installed is None else installed
        return "mlx" if "mlx" in known and "llamacpp" not in known else "llamacpp"
    return "llamacpp" if model.lower().endswith(".gguf") else "mlx"


def _installed() -> Collection[str]:
    packages = {"llamacpp": "llama_cpp", "mlx": "mlx_lm"}
    return [engine for engine, package in packages.items() if find_spec(package) is not None]


def built_in(engine: str) -> Path:
    """The built-in model's file for llama.cpp, or its folder for MLX."""
    spec = find_spec("worker")  # found, not imported
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "models" / BUILT_IN
    engine = engine_of(BUILT_IN) if engine == "auto" else engine
    return folder / ("hf" if engine == "mlx" else "abacus.gguf")
