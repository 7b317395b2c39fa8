"""From a node's settings to what placement is asked: only what somebody set is fixed."""

from typing import Literal

from detect.placement.result import Limits
from detect.settings import Settings


def limits_of(settings: Settings, *, seed_variation: bool = True) -> Limits:
    """Limits of these settings; a value that nobody set is left to placement."""
    engines: dict[str, Literal["llamacpp", "mlx"]] = {"llamacpp": "llamacpp", "mlx": "mlx"}
    return Limits(
        engine=engines.get(settings.engine, "auto"),
        workers=settings.workers if _was_set(settings, "workers") else None,
        slots=settings.slots if _was_set(settings, "slots") else None,
        seed_variation=seed_variation,
        gpu_layers=_layers(settings.gpu_layers),
        context_tokens=settings.context,
        tensor_split=_shares(settings.tensor_split),
        integrated=settings.integrated,
        quantised_cache=True,  # our llamacpp engine can, this and the next
        keep_experts=True,
    )


def _layers(value: int | str) -> int | Literal["auto", "all"]:
    if isinstance(value, int):
        return value
    return "all" if value == "all" else "auto"


def _shares(text: str) -> tuple[float, ...]:
    return () if text == "auto" else tuple(float(part) for part in text.split(","))


def _was_set(settings: Settings, name: str) -> bool:
    return not settings.sources.get(name, "default").startswith("default")
