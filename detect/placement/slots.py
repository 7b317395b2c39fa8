"""How many seeds one worker decodes together, and in how small a context."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from detect.model import Model
from detect.placement.memory import CELLS_PAD
from detect.placement.result import CacheType, Limits
from detect.placement.words import plural

SLOTS_DEFAULT = 8
"""A vote of eight is where most of the gain is; a batch of eight costs little more than one."""
SLOTS_PHONE = 4
GAIN_SHARE = 0.9
"""Slots beyond those that give this share of the best measured tokens/s are the first to go when
memory is short: they cost a stream each and hardly make a vote faster."""
CONTEXT_DEFAULT = 4096
"""What the engine takes when nobody says; eight streams of it already cost gigabytes."""
CONTEXT_FLOOR = 2048
"""A context shrinks to this and no further: below, a question with an example does not fit."""


class Wish(msgspec.Struct, frozen=True):
    """What a worker shall offer, before an engine lays it out."""

    slots: int
    context_tokens: int
    kv_type: CacheType = "f16"


def wanted_slots(limits: Limits, *, phone: bool) -> tuple[int, str]:
    """Slots to aim for, and why."""
    if not limits.seed_variation:
        return 1, "seed variation is switched off"
    if limits.slots is not None:
        return limits.slots, "as asked"
    most = SLOTS_PHONE if phone else SLOTS_DEFAULT
    return most, "one loaded model, its seeds in one batch, each prompt computed once"


def enough_slots(gains: Mapping[int, float], most: int) -> int:
    """The fewest slots that gave nearly the best measured tokens/s; `most` without figures."""
    known = {slots: gain for slots, gain in gains.items() if slots <= most}
    if len(known) < 2 or most not in known:
        return most
    return min(slots for slots, gain in known.items() if gain >= GAIN_SHARE * max(known.values()))


def contexts(model: Model, limits: Limits) -> tuple[int, int]:
    """The context to aim for and the least that will do, in tokens of one sequence."""
    if limits.context_tokens is not None:
        return limits.context_tokens, limits.context_tokens
    trained = model.context_trained or CONTEXT_DEFAULT
    return min(trained, CONTEXT_DEFAULT), min(trained, CONTEXT_FLOOR)


def first_wish(model: Model, limits: Limits, slots: int) -> Wish:
    """What to aim for."""
    return Wish(slots, contexts(model, limits)[0], _kinds(limits)[0])


def least_wish(model: Model, limits: Limits, slots: int) -> Wish:
    """The least that would be taken: what a refusal is measured by."""
    fewest = slots if limits.slots is not None else 1
    return Wish(fewest, contexts(model, limits)[1], _kinds(limits)[-1])


def shrunk(
    model: Model,
    limits: Limits,
    slots: int,
    fits: Callable[[Wish], bool],
    gains: Mapping[int, float],
) -> Wish | None:
    """The largest smaller wish that fits.

    First without slots that were measured to bring nothing, then with a shorter context, then a
    quantised cache, then fewer slots.
    """
    whole, floor = contexts(model, limits)
    if limits.slots is None:
        least = enough_slots(gains, slots)
        trimmed = (
            Wish(count, whole, _kinds(limits)[0]) for count in range(slots - 1, least - 1, -1)
        )
        best = next((wish for wish in trimmed if fits(wish)), None)
        if best is not None:
            return best
        slots = least
    for kind in _kinds(limits):
        best = _largest_context(Wish(slots, whole, kind), floor, fits)
        if best is not None:
            return best
    fewer = next((wish for wish in _fewer_slots(limits, slots, floor) if fits(wish)), None)
    return fewer and _largest_context(_with_context(fewer, whole), floor, fits)


def _fewer_slots(limits: Limits, slots: int, floor: int) -> Iterator[Wish]:
    if limits.slots is None:  # asked-for slots are not given up silently
        for fewer in range(slots - 1, 0, -1):
            for kind in _kinds(limits):
                yield Wish(fewer, floor, kind)


def _kinds(limits: Limits) -> tuple[CacheType, ...]:
    if limits.kv_type != "auto":
        return (limits.kv_type,)
    return ("f16", "q8_0") if limits.quantised_cache else ("f16",)


def _largest_context(wish: Wish, floor: int, fits: Callable[[Wish], bool]) -> Wish | None:
    """Search by halves over multiples of 256 between the floor and the wish; memory only grows."""
    low, high = floor, wish.context_tokens
    if not fits(_with_context(wish, floor)):
        return None
    while high - low >= CELLS_PAD:
        middle = (low + high + CELLS_PAD) // 2 // CELLS_PAD * CELLS_PAD
        if fits(_with_context(wish, middle)):
            low = middle
        else:
            high = middle - CELLS_PAD
    return _with_context(wish, low)


def _with_context(wish: Wish, context: int) -> Wish:
    return Wish(wish.slots, context, wish.kv_type)


def changes(wish: Wish, got: Wish) -> str:
    """What was made smaller, in words; empty when nothing was."""
    parts = []
    if got.context_tokens < wish.context_tokens:
        parts.append(f"context {got.context_tokens} instead of {wish.context_tokens} tokens")
    if got.kv_type != wish.kv_type:
        parts.append(f"keys and values in {got.kv_type}")
    if got.slots < wish.slots:
        parts.append(f"{plural(got.slots, 'slot')} instead of {wish.slots}")
    return ", ".join(parts)
