"""The engines of a worker, loaded by name. Importing this imports no library that generates."""

from pathlib import Path

from detect.forms import BUILT_IN, built_in, engine_of
from worker.engine import Engine
from worker.engines.options import EngineOptions, LoadError

__all__ = ["ABACUS", "ABACUS_FOLDER", "EngineOptions", "LoadError", "load"]

ABACUS, ABACUS_FOLDER = built_in("llamacpp"), built_in("mlx")  # the same model, for each
SLOTS_MAX = 254  # llama.cpp holds 256 sequences in a context; one or two are kept for ourselves


def load(engine: str, model: str, slots: int, options: EngineOptions | None = None) -> Engine:
    """Load `model` into `engine` with room for `slots` sequences; raises LoadError.

    engine: "auto" (chosen from the model), "llamacpp", "mlx" or "scripted".
    model: the path of a GGUF file or of a folder in MLX form, "abacus" for the built-in model, or a
    "scripted:…" reference (grammar: worker/engines/scripted.py).
    """
    if not 1 <= slots <= SLOTS_MAX:
        raise LoadError(
            f"{slots} slots asked for", f"a worker has 1 to {SLOTS_MAX} slots", "--slots 8"
        )
    options = options or EngineOptions()
    match _choose(model) if engine == "auto" else engine:
        case "llamacpp":
            from worker.engines import llamacpp

            return llamacpp.load(str(ABACUS) if model == BUILT_IN else model, slots, options)
        case "mlx":
            from worker.engines import mlx

            return mlx.load(str(ABACUS_FOLDER) if model == BUILT_IN else model, slots, options)
        case "scripted":
            from worker.engines import misbehave, scripted

            return scripted.load(model, slots, misbehave.misbehave)
        case "openai":
            raise LoadError(
                "engine openai is not available", "not part of this version", _AVAILABLE
            )
        case unknown:
            raise LoadError(f"no engine {unknown!r}", "no engine has this name", _AVAILABLE)


_MODELS = "give a .gguf file, a folder in MLX form, the built-in model abacus, or name the engine"
_AVAILABLE = (
    "use llamacpp (GGUF files), mlx (folders in MLX form), scripted (tests and benchmarks) or auto"
)


def _choose(model: str) -> str:
    """The engine for a model's reference. The scripted one answers only to its own name."""
    engine = engine_of(model)
    if engine != "mlx" or model == BUILT_IN or Path(model).is_dir():
        return engine
    if not Path(model).exists():
        raise LoadError(
            f"no model {model!r}", "it is no file here, and no name known here", _MODELS
        )
    raise LoadError(
        f"no engine for the model {model!r}",
        "its name does not tell which engine can load it",
        _MODELS,
    )
