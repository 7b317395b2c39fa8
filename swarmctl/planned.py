"""What a node shall run: planned from the machine and the model, or by its settings alone. Shell.

A plan is handed to the broker as a file in the node's home. Without one (the scripted engine, a
machine that cannot be looked at, a model that cannot be read) the node starts with its settings,
and its workers say themselves what is wrong.
"""

from typing import TYPE_CHECKING

import msgspec

from swarmctl.exits import Exit, Failure
from swarmctl.plan import line
from swarmctl.plan import plan as by_settings

if TYPE_CHECKING:
    from detect.facts import Machine
    from detect.home import Home
    from detect.model import Model
    from detect.placement import Plan
    from detect.settings import Settings

REFUSED_SHOWN_MAX = 6
"""Ways not taken that `up` lists: with reasons and workers it stays one screen."""

REFUSED_TOLD_MAX = 3  # in the error of a plan that found no room


class Ready(msgspec.Struct, frozen=True):
    """What to tell the broker, and what to tell the user."""

    flags: dict[str, object]
    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def prepare(
    here: "Home", chosen: "Settings", known: "Home", *, seed_variation: bool = True
) -> Ready:
    """Plan, and write the plan into the home `here`; `known`: where earlier loads are remembered.

    Raises Failure when a setting is wrong or nothing fits.
    """
    settled = Ready({} if seed_variation else {"slots": 1}, (f"plan: {line(by_settings(chosen))}",))
    if not _is_planned(chosen):
        return settled
    try:
        model, machine = _facts(chosen)
    except Exception as error:  # whatever a machine answers, the node starts
        return _unplanned(settled, _said(error))
    got = _plan(machine, model, chosen, known, seed_variation=seed_variation)
    if got.fault == "unknown":
        return _unplanned(settled, got.error)
    if got.error:
        raise _refused(got)
    return _handed(here, machine, model, got)


def _is_planned(chosen: "Settings") -> bool:
    """Whether placement has a say: a real model, in workers that we start."""
    scripted = chosen.engine == "scripted" or chosen.model.startswith("scripted:")
    return chosen.workers > 0 and not scripted


def _facts(chosen: "Settings") -> "tuple[Model, Machine]":
    """The model's header and the machine: without any probe when the model is tiny."""
    from detect import machine
    from detect.placement.engines import SMALL_PARAMETERS
    from swarmctl.machine import model_facts
    from swarmctl.out import Progress

    model = model_facts(chosen.model, chosen.engine)
    brief = machine.briefly() if model.parameters < SMALL_PARAMETERS else None
    if brief is not None:
        return model, brief
    with Progress("looking at the machine"):
        return model, machine.here()


def _plan(
    machine: "Machine", model: "Model", chosen: "Settings", known: "Home", *, seed_variation: bool
) -> "Plan":
    from detect import loads
    from detect.confirm import settled
    from detect.placement.asked import limits_of

    limits = loads.with_known(limits_of(chosen, seed_variation=seed_variation), known, model)
    return settled(machine, model, limits)


def _said(error: Exception) -> str:
    """What went wrong, and why where that is known."""
    if not isinstance(error, Failure):
        return f"{type(error).__name__}: {error}"
    return ": ".join(part for part in (error.seen, error.because) if part)


def _unplanned(settled: Ready, seen: str) -> Ready:
    said = f"there is no plan: {seen}; the node starts with its settings"
    return msgspec.structs.replace(settled, warnings=(said,))


def _refused(got: "Plan") -> Failure:
    tried = "; ".join(f"{one.what}: {one.why}" for one in got.refused[-REFUSED_TOLD_MAX:])
    code = Exit.USAGE if got.fault == "usage" else Exit.NO_ROOM
    return Failure(got.error, tried if got.fault == "room" else "", got.hint, code)


def _handed(here: "Home", machine: "Machine", model: "Model", got: "Plan") -> Ready:
    from detect.placement.handed import hand_over
    from swarmctl import machine_text

    here.plan.write_bytes(msgspec.json.encode(hand_over(machine, model, got)))
    return Ready(
        {"workers": len(got.workers), "plan": str(here.plan)},
        tuple(machine_text.screen(got, model.name, REFUSED_SHOWN_MAX)),
        got.warnings,
    )
