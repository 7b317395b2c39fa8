"""How many seeds one worker decodes together, and in how small a context."""

from collections.abc import Callable, Mapping

from detect.model import Model
from detect.placement.memory import CELLS_PAD, Load
from detect.placement.result import CacheType, Limits

SLOTS_DEFAULT = 8
"""A vote of eight is where most of the gain is; a batch of eight costs little more than one."""
SLOTS_PHONE = 4
GAIN_MIN = 0.15
"""A further slot that adds less than this share of one slot's speed is not worth its memory."""
CONTEXT_DEFAULT = 8192
CONTEXT_FLOOR = 4096
"""A context shrinks to this and no further: below, a question with an example does not fit."""


def wanted_slots(limits: Limits, *, phone: bool) -> tuple[int, str]:
    """Slots to aim for, and why."""
    if not limits.seed_variation:
        return 1, "one slot: seed variation is switched off"
    if limits.slots is not None:
        return limits.slots, f"{limits.slots} slots, as asked"
    most = SLOTS_PHONE if phone else SLOTS_DEFAULT
    gained = by_gain(limits.gains, most)
    if gained is not None:
        return (
            gained,
            f"{gained} slots: by measured tokens/s, a further one adds under {GAIN_MIN:.0%}",
        )
    return (
        most,
        f"{most} slots: one loaded model, {most} seeds in one batch, the prompt computed once",
    )


def by_gain(gains: Mapping[int, float], most: int) -> int | None:
    """The largest measured number of slots whose last step still paid; None without figures."""
    if 1 not in gains or len(gains) < 2:
        return None
    best = 1
    for slots in sorted(count for count in gains if 1 < count <= most):
        per_slot = (gains[slots] - gains[best]) / (slots - best)
        if per_slot < GAIN_MIN * gains[1]:
            break
        best = slots
    return best


def contexts(model: Model, limits: Limits) -> tuple[int, int]:
    """The context to aim for and the least that will do, in tokens of one sequence."""
    if limits.context_tokens is not None:
        return limits.context_tokens, limits.context_tokens
    trained = model.context_trained or CONTEXT_FLOOR
    return min(trained, CONTEXT_DEFAULT), min(trained, CONTEXT_FLOOR)


def first_load(model: Model, limits: Limits, slots: int) -> Load:
    """The load to aim for."""
    kind: CacheType = "q8_0" if limits.kv_type == "q8_0" else "f16"
    return Load(slots, contexts(model, limits)[0], limits.answer_tokens, kind)


def shrunk(
    model: Model, limits: Limits, slots: int, fits: Callable[[Load], bool]
) -> tuple[Load, str] | None:
    """The largest smaller load that fits: first context, then quantised cache, then slots."""
    whole, floor = contexts(model, limits)
    for kind in _kinds(limits):
        best = _largest_context(Load(slots, whole, limits.answer_tokens, kind), floor, fits)
        if best is not None:
            return best, _said(best, whole, slots)
    if limits.slots is not None:
        return None
    for fewer in range(slots - 1, 0, -1):
        for kind in _kinds(limits):
            load = Load(fewer, floor, limits.answer_tokens, kind)
            if fits(load):
                return load, _said(load, whole, slots)
    return None


def _kinds(limits: Limits) -> tuple[CacheType, ...]:
    return ("f16", "q8_0") if limits.kv_type == "auto" else (limits.kv_type,)


def _largest_context(load: Load, floor: int, fits: Callable[[Load], bool]) -> Load | None:
    """Search by halves over multiples of 256 between the floor and the wish; memory only grows."""
    low, high = floor, load.context_tokens
    if not fits(_with_context(load, floor)):
        return None
    while high - low >= CELLS_PAD:
        middle = (low + high + CELLS_PAD) // 2 // CELLS_PAD * CELLS_PAD
        if middle > high:
            break
        low, high = (
            (middle, high) if fits(_with_context(load, middle)) else (low, middle - CELLS_PAD)
        )
    return _with_context(load, low)


def _with_context(load: Load, context: int) -> Load:
    return Load(load.slots, context, load.answer_tokens, load.kv_type, load.ubatch)


def _said(load: Load, whole: int, slots: int) -> str:
    changes = []
    if load.context_tokens < whole:
        changes.append(f"context {load.context_tokens} instead of {whole} tokens")
    if load.kv_type != "f16":
        changes.append("keys and values in q8_0")
    if load.slots < slots:
        changes.append(f"{load.slots} slots instead of {slots}")
    return ", ".join(changes)
