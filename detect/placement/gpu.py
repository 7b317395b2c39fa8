"""Running on accelerators: one worker for each, one over several, smaller, or partly."""

from collections.abc import Sequence

import msgspec

from detect.placement import attempts, budget, engines, pin
from detect.placement.budget import Room
from detect.placement.case import Case, Found, refusal
from detect.placement.memory import Load
from detect.placement.readback import key
from detect.placement.result import PlannedWorker, Refused, Sum
from detect.placement.slots import Wish, changes, contexts, least_wish, shrunk
from detect.placement.words import plural, total

ALL_LAYERS = -1
HALF_COPIES = {"CUDA", "ROCm", "HIP"}
"""Libraries whose flash attention reads quantised keys and values through copies."""


def each(case: Case) -> Found | list[Refused]:
    """One worker for each device that holds the whole model with the wished context and slots."""
    return _each(case, case.wish)


def _each(case: Case, wish: Wish) -> Found | list[Refused]:
    load = _load(case, wish)
    fitting, refused = [], []
    for room in case.rooms:
        sums = _sums_whole(case, load, room)
        if all(row.fits for row in sums):
            fitting.append((room, sums))
        else:
            refused.append(refusal(f"{_name(room)} alone", sums))
    fitting = _discrete_first(fitting)
    if not fitting:
        return refused
    ready, kept = len(fitting), _kept(fitting)
    held = kept.budget_bytes // kept.total_bytes if kept else ready
    count = case.limits.workers or min(ready, held)
    if kept and count > held:
        what, need = f"{count} workers beside their devices", kept.total_bytes * count
        return [*refused, Refused(what, f"each: {total(kept)}", need, kept.budget_bytes)]
    if count < ready:  # best fit: the fullest that fits leaves the others for larger models
        fitting = sorted(fitting, key=lambda one: one[0].budget_bytes)[:count]
    placed = _placed(case, load, fitting, count)
    if isinstance(placed, Refused):
        return [*refused, placed]
    reasons = _why_each(fitting, count)
    if kept and count < ready and not case.limits.workers:
        reasons.append(f"{count} of {ready} devices used: a worker also takes {total(kept)}")
    if made := changes(case.wish, wish):
        reasons.append(f"made smaller to fit: {made}")
    return Found(placed, tuple(reasons))


_Fitting = list[tuple[Room, tuple[Sum, ...]]]


def _discrete_first(fitting: _Fitting) -> _Fitting:
    """An integrated GPU beside a discrete one is left alone: it is slower and takes main memory."""
    discrete = [one for one in fitting if one[0].device and not one[0].device.unified]
    return discrete or fitting


def _kept(fitting: _Fitting) -> Sum | None:
    """What each of these workers takes of main memory, which all share; None where it is unified,
    since it is in the device's sum then."""
    sums = fitting[0][1]
    return sums[1] if len(sums) > 1 else None


def _why_each(fitting: _Fitting, count: int) -> list[str]:
    reasons = [
        f"{_name(room)} holds the whole model: {total(sums[0])} ({room.said})"
        for room, sums in fitting
    ]
    if len(fitting) > 1:
        reasons.append(f"one worker for each of {len(fitting)} devices: votes run side by side")
    if count > len(fitting):
        reasons.append(f"{count} workers, as asked: the weights are held {count} times")
    return reasons


def _placed(
    case: Case, load: Load, fitting: _Fitting, count: int
) -> tuple[PlannedWorker, ...] | Refused:
    """Deal `count` workers over the fitting devices, checking those that get several."""
    workers = []
    for at in range(count):
        room, sums = fitting[at % len(fitting)]
        times = at // len(fitting) + 1
        if sums[0].total_bytes * times > room.budget_bytes:
            what = f"{times} workers on {_name(room)}"
            return Refused(what, total(sums[0]), sums[0].total_bytes * times, room.budget_bytes)
        workers.append(_worker(case, load, [room], ALL_LAYERS, sums))
    return tuple(workers)


def over_all(case: Case) -> Found | list[Refused]:
    """One worker over all devices of one library, layer by layer."""
    return _over_all(case, case.wish)


def _over_all(case: Case, wish: Wish) -> Found | list[Refused]:
    load = _load(case, wish)
    refused = []
    for rooms in _groups(case):
        counts, sums = attempts.split(case.model, load, rooms, case.limits.tensor_split)
        sums = (*sums, attempts.beside(case.model, load, case.main))
        if not all(row.fits for row in sums):
            refused.append(refusal(f"{_names(rooms)} together", sums))
            continue
        used = [(room, count) for room, count in zip(rooms, counts, strict=True) if count]
        shares = tuple(float(count) for _, count in used)
        worker = msgspec.structs.replace(
            _worker(case, load, [room for room, _ in used], ALL_LAYERS, sums),
            split_mode="layer",
            main_gpu=0,
            tensor_split=shares,
        )
        said = "; ".join(
            f"{count} layers: {total(row)}" for count, row in zip(counts, sums, strict=False)
        )
        why = "no single device holds the model; " if not case.limits.tensor_split else ""
        asked = ", shares as asked" if case.limits.tensor_split else ""
        reasons = [f"{why}{_names(rooms)} together do{asked}: {said}"]
        if made := changes(case.wish, wish):
            reasons.append(f"made smaller to fit: {made}")
        return Found((worker,), tuple(reasons))
    return refused


def _groups(case: Case) -> list[list[Room]]:
    """Rooms of cards that one model can be split over; as shares count them, if any were asked."""
    by_id = {room.device.id: room for room in case.rooms if room.device is not None}
    order = [by_id[device.id] for device in case.machine.devices if device.id in by_id]
    shares = case.limits.tensor_split
    groups = budget.side_by_side(order if shares else case.rooms)
    return [group for group in groups if not shares or len(group) == len(shares)]


def smaller(case: Case) -> Found | list[Refused]:
    """The same ways with less context, quantised keys and values, or fewer slots."""

    def first(wish: Wish) -> Found | None:
        tried = (way(case, wish) for way in (_each, _over_all))
        return next((found for found in tried if isinstance(found, Found)), None)

    gains = case.limits.gains.get(case.rooms[0].place, {}) if case.rooms else {}
    wish = shrunk(case.model, case.limits, case.slots, lambda one: first(one) is not None, gains)
    found = first(wish) if wish is not None else None
    if found is not None or not case.rooms:
        return found or []
    room = case.rooms[0]
    least = least_wish(case.model, case.limits, case.slots)
    sums = _sums_whole(case, _load(case, least), room)
    slots = plural(least.slots, "slot")
    return [refusal(f"{_name(room)} with {slots} of {least.context_tokens} tokens", sums)]


def partly(case: Case) -> Found | list[Refused]:
    """As many of the last layers as the best device holds; the rest in main memory."""
    refused = []
    whole, least = (
        _load(case, msgspec.structs.replace(case.wish, context_tokens=context))
        for context in contexts(case.model, case.limits)
    )
    for room in case.rooms:
        if room.device is None or room.device.unified:
            continue  # one memory: what does not fit as a whole does not fit in parts
        # A layer on the GPU is worth more than a long context, so the least context is taken.
        worker = _experts_beside(case, (whole, least), room) or _partial(case, least, room)
        if worker is not None:
            return _partial_found(case, worker, room)
        rest = attempts.beside(case.model, least, case.main, 1)
        here = attempts.on_device(case.model, least, room, 1)
        refused.append(refusal(f"part of the layers on {_name(room)}", (here, rest)))
    return refused


def _experts_beside(case: Case, loads: Sequence[Load], room: Room) -> PlannedWorker | None:
    """All layers there but for their experts, with the first of these loads that fits so."""
    if not case.limits.keep_experts or not any(one.expert_bytes for one in case.model.layers):
        return None
    for load in loads:
        layers = attempts.layers_that_fit(case.model, load, room, case.main, experts_stay=True)
        if layers == case.model.offloadable:
            worker = _with_layers(case, load, room, layers, experts_stay=True)
            return msgspec.structs.replace(worker, experts_in_main_memory=True)
    return None


def _partial(case: Case, load: Load, room: Room) -> PlannedWorker | None:
    layers = attempts.layers_that_fit(case.model, load, room, case.main)
    return _with_layers(case, load, room, layers) if layers else None


def _with_layers(
    case: Case, load: Load, room: Room, layers: int, *, experts_stay: bool = False
) -> PlannedWorker:
    if room.device is not None and room.device.unified:
        sums: tuple[Sum, ...] = (attempts.in_one_memory(case.model, load, room),)
    else:
        sums = (
            attempts.on_device(case.model, load, room, layers, experts_stay=experts_stay),
            attempts.beside(case.model, load, case.main, layers, experts_stay=experts_stay),
        )
    return _worker(case, load, [room], layers, sums)


def _partial_found(case: Case, worker: PlannedWorker, room: Room) -> Found:
    offloadable = case.model.offloadable
    what = f"the last {worker.gpu_layers} of {offloadable} layers on {_name(room)}"
    if worker.experts_in_main_memory:
        what = f"all {offloadable} layers on {_name(room)}, the experts in main memory"
    reasons = [f"{what}: {total(worker.sums[0])}; the rest: {total(worker.sums[1])}"]
    if worker.context_tokens != case.wish.context_tokens:
        reasons.append(f"made smaller to fit: context {worker.context_tokens} tokens")
    return Found((worker,), tuple(reasons))


def exactly(case: Case) -> Found | list[Refused]:
    """The number of layers that the user named, on the best device that holds them."""
    layers = case.limits.gpu_layers
    assert isinstance(layers, int)
    refused = []
    for room in case.rooms:
        worker = _with_layers(case, _load(case, case.wish), room, layers)
        if all(row.fits for row in worker.sums):
            said = f"{layers} of {case.model.offloadable} layers on {_name(room)}, as asked"
            rest = "".join(f"; the rest: {total(row)}" for row in worker.sums[1:])
            return Found((worker,), (f"{said}: {total(worker.sums[0])}{rest}",))
        refused.append(refusal(f"{layers} layers on {_name(room)}", worker.sums))
    return refused


def _load(case: Case, wish: Wish) -> Load:
    return engines.llamacpp(
        case.model,
        wish.slots,
        wish.context_tokens,
        gpu=True,
        kv_type=wish.kv_type,
        half_copies=any(room.device and room.device.library in HALF_COPIES for room in case.rooms),
        prefix_bytes_max=case.prefix_bytes_max,
    )


def _sums_whole(case: Case, load: Load, room: Room) -> tuple[Sum, ...]:
    known = case.limits.measured.get(key(case.model, load, _name(room)))
    here = attempts.on_device(case.model, load, room)
    here = msgspec.structs.replace(here, measured_bytes=known)
    if room.device is not None and room.device.unified:
        return (here,)
    return here, attempts.beside(case.model, load, case.main)


def _worker(
    case: Case,
    load: Load,
    rooms: Sequence[Room],
    layers: int,
    sums: tuple[Sum, ...],
) -> PlannedWorker:
    devices = [room.device for room in rooms if room.device is not None]
    return PlannedWorker(
        engine="llamacpp",
        model=case.model.path,
        slots=load.slots,
        context_tokens=load.context_tokens,
        cells=load.cells,
        streams=load.streams,
        gpu_layers=layers,
        main_gpu=pin.main_gpu(devices),
        devices=tuple(device.id for device in devices),
        env=pin.only(devices, case.machine.devices),
        threads=case.machine.cpu.threads,
        cpus=_near(case, devices[0].numa_node) if len(devices) == 1 else (),
        kv_type=load.kv_type,
        batch_tokens=load.batch_tokens,
        prefix_bytes=engines.prefix_bytes(case.model, load),
        sums=sums,
    )


def _near(case: Case, node: int | None) -> tuple[int, ...]:
    """Processors on the device's NUMA node, when the machine has several nodes."""
    nodes = case.machine.cpu.numa
    if node is None or len(nodes) < 2:
        return ()
    return next((one.cpus for one in nodes if one.id == node), ())


def _name(room: Room) -> str:
    return room.device.name if room.device is not None else room.place


def _names(rooms: Sequence[Room]) -> str:
    return " + ".join(_name(room) for room in rooms)
