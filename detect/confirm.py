"""The exact step before a load: llama.cpp lays the planned worker out, and the sums are corrected.

What the simulated load knows better than placement is the compute buffer of each device; weights
and caches are exact already, and a difference there means a family that the tables do not know.
Where the corrected sums no longer fit, the plan is made again with that much less room.
"""

from collections.abc import Mapping, Sequence

import msgspec

from detect.facts import Machine
from detect.model import Model
from detect.placement import pin, plan
from detect.placement.budget import MAIN_MEMORY
from detect.placement.engines import SMALL_PARAMETERS
from detect.placement.result import Limits, Plan, PlannedWorker, Sum
from detect.placement.words import total
from detect.simulated import Load, Simulated, simulate

SURPRISE_BYTES = 1 << 20  # llama.cpp logs MiB with two decimals, a line for each cache
ROUNDS_MAX = 3  # plans made again: each has less room, and half a second is lost on each


class Confirmed(msgspec.Struct, frozen=True):
    """A planned worker with its sums corrected, and whether every place still holds it."""

    worker: PlannedWorker
    notes: tuple[str, ...] = ()
    error: str = ""  # llama.cpp's own, when it refuses the model

    @property
    def fits(self) -> bool:
        """Whether it can be loaded."""
        return not self.error and all(row.fits for row in self.worker.sums)


def settled(machine: Machine, model: Model, limits: Limits, *, exact: bool | None = None) -> Plan:
    """The plan that llama.cpp's own layout agrees with, as far as it can be asked.

    The worker whose place would be the fullest is laid out; half a second for each round.
    `exact`: whether to ask; None leaves out models so small that the half second is felt more
    than any byte of theirs.
    """
    if exact is None:
        exact = model.parameters >= SMALL_PARAMETERS
    if not exact:
        return plan(machine, model, limits)
    for _ in range(ROUNDS_MAX):
        got = plan(machine, model, limits)
        if not got.workers or got.workers[0].engine != "llamacpp":
            return got
        if any(row.measured_bytes for row in got.workers[0].sums):
            return got  # a real load is better known than a simulated one
        at = max(range(len(got.workers)), key=lambda one: _fill(got.workers[one]))
        checked = confirm(machine, model, got.workers[at])
        if checked.error:
            said = f"llama.cpp could not lay it out beforehand: {checked.error}"
            return msgspec.structs.replace(got, warnings=(*got.warnings, said))
        if checked.fits:
            return _agreed(got, at, checked)
        short = _short(machine, got.workers, at, checked)
        both = {
            place: short.get(place, 0) + limits.short.get(place, 0)
            for place in {*short, *limits.short}
        }
        limits = msgspec.structs.replace(limits, short=both)
    return plan(machine, model, limits)


def _fill(worker: PlannedWorker) -> float:
    """How full the fullest place of this worker would be."""
    return max((row.total_bytes / max(row.budget_bytes, 1) for row in worker.sums), default=0.0)


def _agreed(got: Plan, at: int, checked: Confirmed) -> Plan:
    workers = (*got.workers[:at], checked.worker, *got.workers[at + 1 :])
    said = tuple(f"llama.cpp's own layout agrees: {total(row)}" for row in checked.worker.sums)
    return msgspec.structs.replace(
        got,
        workers=workers,
        reasons=(*got.reasons, *said),
        warnings=(*got.warnings, *checked.notes),
    )


def _short(
    machine: Machine, workers: Sequence[PlannedWorker], at: int, checked: Confirmed
) -> dict[str, int]:
    """What each place lacks, by device id or "host"; workers that share it lack it as often."""
    alike = sum(one.devices == workers[at].devices for one in workers)
    ids = {
        device.engine_name or device.name: device.id  # slices of one card have the same name
        for device in machine.devices
        if device.id in workers[at].devices
    }
    return {
        ids.get(row.place, "host"): alike * (row.total_bytes - row.budget_bytes)
        for row in checked.worker.sums
        if not row.fits
    }


def confirm(machine: Machine, model: Model, worker: PlannedWorker) -> Confirmed:
    """Ask llama.cpp what this worker would take. Half a second, in a process of its own."""
    if worker.engine != "llamacpp":
        return Confirmed(worker, ("only llama.cpp can simulate a load",))
    (told,) = simulate([load_of(worker)], worker.env)
    if isinstance(told, str):
        return Confirmed(worker, error=told)
    return corrected(machine, model, worker, told)


def load_of(worker: PlannedWorker) -> Load:
    """The simulation's request for a planned worker."""
    return Load(
        path=worker.model,
        cells=worker.cells,
        sequences=worker.streams,
        ubatch=worker.batch_tokens,
        outputs=worker.streams,
        kv_type=worker.kv_type,
        gpu_layers=worker.gpu_layers,
        split_mode=1 if worker.split_mode == "layer" else 0,
        main_gpu=worker.main_gpu,
        tensor_split=worker.tensor_split,
        flash=worker.gpu_layers != 0,
        experts_in_main_memory=worker.experts_in_main_memory,
    )


def corrected(machine: Machine, model: Model, worker: PlannedWorker, told: Simulated) -> Confirmed:
    """The worker with llama.cpp's compute buffers in its sums. Pure."""
    sums = tuple(_row(row, told, _called(machine, worker)) for row in worker.sums)
    notes = []
    caches = sum(row.cache_bytes for row in worker.sums)
    if abs(caches - told.kv_bytes) > SURPRISE_BYTES:
        notes.append(f"keys and values take {told.kv_bytes} bytes, {caches} were expected")
        extra = max(told.kv_bytes - caches, 0)
        sums = (
            msgspec.structs.replace(sums[0], cache_bytes=sums[0].cache_bytes + extra),
            *sums[1:],
        )
    if told.weight_bytes != model.weight_bytes:
        notes.append(f"weights take {told.weight_bytes} bytes, {model.weight_bytes} were expected")
    return Confirmed(msgspec.structs.replace(worker, sums=sums), tuple(notes))


def _called(machine: Machine, worker: PlannedWorker) -> dict[str, str]:
    """What llama.cpp calls each place's device in the worker: pinned ones are counted from 0."""
    known = {device.id: device for device in machine.devices}
    devices = [known[one] for one in worker.devices]
    pinned = bool(pin.env_for(devices))
    return {
        device.engine_name or device.name: f"{device.library}{at}" if pinned else device.engine_name
        for at, device in enumerate(devices)
    }


def _row(row: Sum, told: Simulated, called: Mapping[str, str]) -> Sum:
    """One place's sum with the buffer that llama.cpp gives it."""
    if row.place in called:
        real = told.compute_bytes.get(called[row.place])
        return row if real is None else msgspec.structs.replace(row, compute_bytes=real)
    if row.place != MAIN_MEMORY:
        return row  # a card of the split without a layer
    names = called.values()
    host = sum(size for name, size in told.compute_bytes.items() if name not in names)
    return msgspec.structs.replace(row, compute_bytes=host + told.output_bytes)
