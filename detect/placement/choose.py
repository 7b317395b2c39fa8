"""In which order ways to run a model are tried; the first that fits is the plan.

One worker for each device that holds the whole model; else one worker over all devices of one
library; else a shorter context, quantised keys and values, fewer slots; else part of the layers;
else the processors; else a refusal with the sums. Fit is a filter, the order is the preference.
"""

from detect.advice import llamacpp_line, mlx_hint
from detect.facts import Machine
from detect.model import Model
from detect.placement import cpu, gpu, mlx
from detect.placement.budget import device_rooms, main_room
from detect.placement.case import Case, Found, Way
from detect.placement.check import check
from detect.placement.result import Limits, Plan, PlannedWorker, Refused
from detect.placement.slots import enough_slots, wanted_slots
from detect.placement.words import plural, size


def plan(machine: Machine, model: Model, limits: Limits | None = None) -> Plan:
    """Work out the workers to start for this model on this machine."""
    limits, notes, wrong = check(machine, model, limits or Limits())
    if wrong is not None:
        return Plan(error=wrong.seen, hint=wrong.hint, fault="usage")
    missing = _missing_engine(machine, model, limits)
    if missing is not None:
        return missing
    main = main_room(machine, limits)
    if main is None:
        return Plan(
            error="the free memory of this machine is unknown, so nothing can be promised",
            hint="swarmctl doctor says why; pip install psutil often mends it",
            fault="unknown",
        )
    rooms, unused = device_rooms(machine, limits, model.form)
    phone = machine.platform.system == "android" or "proot" in machine.platform.traits
    slots, why_slots = wanted_slots(limits, phone=phone)
    case = Case(machine, model, limits, main, rooms, slots)
    refused: list[Refused] = list(unused)
    for way in _ways(case):
        found = way(case)
        if isinstance(found, Found):
            return _planned(case, found, refused, why_slots, notes)
        refused += found
    return _nothing_fits(case, refused)


def _ways(case: Case) -> tuple[Way, ...]:
    layers = case.limits.gpu_layers
    if case.model.form == "mlx":
        return (mlx.whole,)
    if layers == 0:
        return (cpu.whole,)
    if isinstance(layers, int):
        return (gpu.exactly,)
    if case.limits.tensor_split:
        return (gpu.over_all,)
    if layers == "all":
        return (gpu.each, gpu.over_all, gpu.smaller)
    return (gpu.each, gpu.over_all, gpu.smaller, gpu.partly, cpu.whole)


def _missing_engine(machine: Machine, model: Model, limits: Limits) -> Plan | None:
    wanted = "mlx" if model.form == "mlx" else "llamacpp"
    if limits.engine not in {"auto", wanted}:
        return Plan(
            error=f"--engine {limits.engine} cannot load {model.path}: "
            f"it is in {model.form.upper()} form",
            hint=f"--engine {wanted}, or name the model's other form",
            fault="usage",
        )
    broken = next((n for n in machine.notes if n.about == "engine" and n.grade == "error"), None)
    if machine.engine(wanted) is None and broken and wanted == "llamacpp":
        return Plan(error=broken.seen, hint=broken.fix, fault="engine")
    if machine.engine(wanted) is None:
        return Plan(
            error=f"the engine {wanted}, which {model.form.upper()} models need, is not installed",
            hint=mlx_hint(machine.platform) if wanted == "mlx" else llamacpp_line(machine.platform),
            fault="engine",
        )
    return None


def _planned(
    case: Case, found: Found, refused: list[Refused], why_slots: str, notes: tuple[str, ...]
) -> Plan:
    workers = found.workers
    reasons = (*found.reasons, _why_slots(case, workers[0], why_slots))
    if case.limits.workers is not None and case.limits.workers != len(workers):
        said = "one is planned, which divides the model between places"
        notes = (*notes, f"--workers {case.limits.workers}: {said}")
    errors = tuple(
        f"{note.seen}; mend it: {note.fix}" if note.fix else note.seen
        for note in case.machine.notes
        if note.grade == "error"
    )
    if case.model.guessed:
        notes = (*notes, f"the family {case.model.architecture} has caches of its own kind: "
                 "the sums are estimates until a simulated load")  # fmt: skip
    return Plan(workers, reasons, tuple(refused), (*notes, *errors))


def _why_slots(case: Case, worker: PlannedWorker, why: str) -> str:
    """Why so many slots, with what was measured of them."""
    slots = worker.slots
    gains = case.limits.gains.get(worker.sums[0].place, {})
    if slots < case.slots:
        why = "memory holds no more"
        if slots >= enough_slots(gains, case.slots):
            why = "memory is short, and more were measured to be hardly faster"
    if slots > 1 and slots in gains:
        why += f"; measured: {gains[slots]:.1f} times the tokens/s of one"
    if slots > 1 and case.limits.slots is None:
        weights = sum(row.weight_bytes for row in worker.sums)
        why += (
            f"; {slots} workers of one slot would hold the weights {slots} times, "
            f"{size(slots * weights)} instead of {size(weights)}"
        )
    return f"{plural(slots, 'slot')}: {why}"


def _nothing_fits(case: Case, refused: list[Refused]) -> Plan:
    """Name the smallest need and the largest room, and what a user can do."""
    sums = [one for one in refused if one.need_bytes is not None and one.have_bytes is not None]
    error = f"{case.model.name} does not fit on this machine"
    if sums:
        least = min(sums, key=lambda one: (one.need_bytes or 0) - (one.have_bytes or 0))
        need, have = size(least.need_bytes or 0), size(least.have_bytes or 0)
        error += f": {least.what} needs {need}, {have} may be taken"
    hint = "a smaller model or quantisation; free memory; or --context and --slots smaller"
    if case.limits.gpu_layers not in {"auto", 0} or case.limits.tensor_split:
        hint = f"--gpu-layers auto without --tensor-split takes what fits; {hint}"
    if (case.limits.workers or 1) > 1:
        hint = f"fewer --workers; {hint}"
    return Plan(refused=tuple(refused), error=error, hint=hint, fault="room")
