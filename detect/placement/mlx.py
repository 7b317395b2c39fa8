"""Running with MLX on Apple Silicon: weights as they are, a copied prompt cache for each seed."""

from detect.placement.budget import PROCESS_BYTES, Room
from detect.placement.case import Case, Found, refusal
from detect.placement.memory import UBATCH_TOKENS, Load
from detect.placement.result import PlannedWorker, Refused, Sum
from detect.placement.slots import shrunk
from detect.placement.words import GIB, size, total

WIRED_SPARE_BYTES = 4 * GIB
"""mlx-lm wires the whole recommended size whatever the model, which froze small machines; this much
over weights and cache holds the buffers of a batch."""
CACHE_VALUE_BYTES = 2  # keys and values are bf16


def whole(case: Case) -> Found | list[Refused]:
    """One worker on the GPU that shares main memory, or on the CPU where Metal is silent."""
    room = case.rooms[0] if case.rooms else case.main

    def fits(load: Load) -> bool:
        return _sum(case, load, room).fits

    made = "" if fits(case.wish) else None
    load = case.wish
    if made is None:
        found = shrunk(case.model, case.limits, case.slots, fits)
        if found is None:
            return [refusal(f"{room.place} with MLX", [_sum(case, load, room)])]
        load, made = found
    return _found(case, load, room, made)


def _sum(case: Case, load: Load, room: Room) -> Sum:
    """Every sequence holds its own copy of the prompt, so cells are context times slots."""
    model = case.model
    values = sum(layer.key_values + layer.value_values for layer in model.layers)
    rows = 3 * model.feed_forward + 3 * model.embedding + model.query_values + model.vocab
    return Sum(
        place=room.place,
        weight_bytes=model.weight_bytes,
        cache_bytes=values * CACHE_VALUE_BYTES * load.context_tokens * load.slots,
        compute_bytes=rows * UBATCH_TOKENS * 4,
        process_bytes=PROCESS_BYTES + room.driver_bytes,
        budget_bytes=room.budget_bytes,
    )


def _found(case: Case, load: Load, room: Room, made_smaller: str) -> Found:
    row = _sum(case, load, room)
    device = room.device
    count = case.limits.workers or 1
    limit = row.weight_bytes + row.cache_bytes + WIRED_SPARE_BYTES
    most = device.total_bytes if device is not None and device.total_bytes else limit
    worker = PlannedWorker(
        engine="mlx",
        model=case.model.path,
        slots=load.slots,
        context_tokens=load.context_tokens,
        cells=load.context_tokens * load.slots,
        gpu_layers=-1 if device is not None else 0,
        devices=(device.id,) if device is not None else (),
        threads=max(case.machine.cpu.threads // count, 1),
        wired_limit_bytes=min(limit, most) if device is not None else None,
        sums=(row,),
    )
    reasons = [f"MLX on {device.name if device else 'the CPU'}: {total(row)} ({room.said})"]
    if worker.wired_limit_bytes:
        reasons.append(f"wired memory held to {size(worker.wired_limit_bytes)}")
    if made_smaller:
        reasons.append(f"made smaller to fit: {made_smaller}")
    return Found((worker,) * count, tuple(reasons))
