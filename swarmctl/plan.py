"""What `up` would run, said before it runs. Pure."""

import msgspec

from detect.settings import Settings
from swarmctl.text import plural


class Plan(msgspec.Struct, frozen=True):
    """Which model on which engine, in how many processes with how many seeds at once."""

    engine: str
    model: str
    workers: int
    slots: int
    why: str


def plan(settings: Settings) -> Plan:
    """The plan of these settings; what nobody set is the default."""
    chosen = [
        f"{name} from {source}"
        for name in ("engine", "model", "workers", "slots")
        if not (source := settings.sources[name]).startswith("default")
    ]
    return Plan(
        engine=settings.engine,
        model=settings.model,
        workers=settings.workers,
        slots=settings.slots,
        why=", ".join(chosen) or "nothing was set: one worker, eight seeds in one batch",
    )


def line(p: Plan) -> str:
    """The plan in one line."""
    return (
        f"{plural(p.workers, 'worker')} × {plural(p.slots, 'slot')} "
        f"of {p.model} (engine {p.engine}): {p.why}"
    )
