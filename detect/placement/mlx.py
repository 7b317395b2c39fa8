"""Running with MLX on Apple Silicon: weights as they are, a copied prompt cache for each seed."""

import msgspec

from detect.placement import engines
from detect.placement.budget import PROCESS_BYTES, Room
from detect.placement.case import Case, Found, refusal
from detect.placement.memory import Load
from detect.placement.readback import key
from detect.placement.result import PlannedWorker, Refused, Sum
from detect.placement.slots import Wish, changes, least_wish, shrunk
from detect.placement.words import GIB, plural, size, total

WIRED_SPARE_BYTES = 4 * GIB
"""mlx-lm wires the whole recommended size whatever the model, which froze small machines; this much
over weights and cache holds the buffers of a batch."""
LOGITS_LIVE = 6  # rows of the vocabulary held while tokens are drawn: logits, their order, masks
CACHE_VALUE_BYTES = 2  # keys and values are bf16


def whole(case: Case) -> Found | list[Refused]:
    """One worker on the GPU that shares main memory, or on the CPU where Metal is silent."""
    room = case.rooms[0] if case.rooms else case.main
    count = case.limits.workers or 1
    room = msgspec.structs.replace(room, budget_bytes=room.budget_bytes // count)

    def fits(wish: Wish) -> bool:
        return _sum(case, wish, room).fits

    plain = msgspec.structs.replace(case.limits, kv_type="f16")  # the batch keeps bf16
    wish = case.wish if fits(case.wish) else shrunk(case.model, plain, case.slots, fits, {})
    if wish is None:
        least = least_wish(case.model, plain, case.slots)
        what = f"{room.place} with MLX, {plural(least.slots, 'slot')}"
        if count > 1:
            what = f"each of {count} workers on {what}"
        return [refusal(what, [_sum(case, least, room)])]
    return _found(case, wish, room)


def _sum(case: Case, wish: Wish, room: Room) -> Sum:
    """Every sequence holds its own copy of the prompt, so cells are context times slots.

    Prompts kept for reuse lie in the same memory as everything else.
    """
    model = case.model
    load = _load(case, wish, room)
    known = case.limits.measured.get(key(model, load, room.place))
    values = sum(layer.key_values + layer.value_values for layer in model.layers)
    wide = 3 * model.feed_forward + 3 * model.embedding + model.query_values
    drawn = LOGITS_LIVE * model.vocab * load.slots  # logits are wanted of one token a row
    return Sum(
        place=room.place,
        weight_bytes=model.weight_bytes,
        cache_bytes=values * CACHE_VALUE_BYTES * load.cells,
        compute_bytes=(wide * load.batch_tokens + drawn) * 4,
        process_bytes=PROCESS_BYTES + room.driver_bytes + engines.prefix_bytes(model, load),
        budget_bytes=room.budget_bytes,
        measured_bytes=known,
    )


def _load(case: Case, wish: Wish, room: Room) -> Load:
    return engines.mlx(
        case.model,
        wish.slots,
        wish.context_tokens,
        gpu=room.device is not None,
        prefix_bytes_max=case.prefix_bytes_max,
    )


def _found(case: Case, wish: Wish, room: Room) -> Found:
    row = _sum(case, wish, room)
    load = _load(case, wish, room)
    device = room.device
    count = case.limits.workers or 1
    limit = row.weight_bytes + row.cache_bytes + WIRED_SPARE_BYTES
    most = device.total_bytes if device is not None and device.total_bytes else limit
    worker = PlannedWorker(
        engine="mlx",
        model=case.model.path,
        slots=load.slots,
        context_tokens=load.context_tokens,
        cells=load.cells,
        streams=load.streams,
        gpu_layers=-1 if device is not None else 0,
        devices=(device.id,) if device is not None else (),
        threads=max(case.machine.cpu.threads // count, 1) if device is not None else 1,
        batch_tokens=load.batch_tokens,
        prefix_bytes=engines.prefix_bytes(case.model, load),
        wired_limit_bytes=min(limit, most) if device is not None else None,
        sums=(row,),
    )
    shared = f", shared by {count} workers" if count > 1 else ""
    reasons = [f"MLX on {device.name if device else 'the CPU'}: {total(row)} ({room.said}{shared})"]
    if count > 1:
        reasons.append(f"{count} workers, as asked: the weights are held {count} times")
    if device is None:
        reasons.append("llama.cpp is many times faster on a CPU: prefer a .gguf form of the model")
    if worker.wired_limit_bytes:
        reasons.append(f"wired memory held to {size(worker.wired_limit_bytes)}")
    if made := changes(case.wish, wish):
        reasons.append(f"made smaller to fit: {made}")
    return Found((worker,) * count, tuple(reasons))
