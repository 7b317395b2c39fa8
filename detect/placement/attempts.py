"""One way to run one worker, and the sum of what it takes in each place."""

from collections.abc import Sequence

import msgspec

from detect.model import Model
from detect.placement import compute, memory
from detect.placement.budget import DRIVER_MAIN_BYTES, PROCESS_BYTES, Room
from detect.placement.engines import prefix_bytes
from detect.placement.memory import Load
from detect.placement.result import Sum


def main_bytes(model: Model, load: Load) -> int:
    """What a worker takes of main memory beside the model: the process, and prompts kept."""
    return PROCESS_BYTES + prefix_bytes(model, load)


class _Part(msgspec.Struct, frozen=True):
    weights: int
    cache: int
    state: int


def _layer_parts(model: Model, load: Load, *, experts_stay: bool) -> list[_Part]:
    """What each block takes where it lies; the last entry is the output layer."""
    kept = [layer.expert_bytes if experts_stay else 0 for layer in model.layers]
    parts = [
        _Part(
            layer.weight_bytes - stay,
            memory.cache_bytes(model, layer, load),
            memory.state_bytes(model, layer, load),
        )
        for layer, stay in zip(model.layers, kept, strict=True)
    ]
    return [*parts, _Part(model.output_bytes, 0, 0)]


def on_cpu(model: Model, load: Load, room: Room) -> Sum:
    """Everything in main memory."""
    parts = _layer_parts(model, load, experts_stay=False)
    return Sum(
        place=room.place,
        weight_bytes=model.weight_bytes,
        cache_bytes=sum(part.cache for part in parts),
        state_bytes=sum(part.state for part in parts),
        compute_bytes=compute.compute_bytes(model, load) + memory.output_bytes(model, load),
        process_bytes=main_bytes(model, load),
        budget_bytes=room.budget_bytes,
    )


def on_device(
    model: Model, load: Load, room: Room, layers: int | None = None, *, experts_stay: bool = False
) -> Sum:
    """The last `layers` of the model (None: all) with their caches on one device.

    A device that shares main memory also bears the embedding table and the process there.
    """
    parts = _layer_parts(model, load, experts_stay=experts_stay)
    taken = parts if layers is None else parts[len(parts) - layers :]
    unified = room.device is not None and room.device.unified
    # An operation on weights that stay in main memory copies one tensor at a time.
    copied = model.tensor_bytes_max if layers is not None or experts_stay else 0
    return Sum(
        place=room.place,
        weight_bytes=sum(part.weights for part in taken) + (model.input_bytes if unified else 0),
        cache_bytes=sum(part.cache for part in taken),
        state_bytes=sum(part.state for part in taken),
        compute_bytes=compute.compute_bytes(model, load) + copied,
        process_bytes=room.driver_bytes + (main_bytes(model, load) if unified else 0),
        budget_bytes=room.budget_bytes,
    )


def in_one_memory(model: Model, load: Load, room: Room) -> Sum:
    """Some of the layers on a device that shares main memory: it bears all the rest as well.

    Either side computes in a buffer of its own.
    """
    whole = on_device(model, load, room, model.offloadable)
    both = whole.compute_bytes + compute.compute_bytes(model, load)
    return msgspec.structs.replace(whole, compute_bytes=both + memory.output_bytes(model, load))


def beside(
    model: Model, load: Load, main: Room, layers: int | None = None, *, experts_stay: bool = False
) -> Sum:
    """What stays in main memory when `layers` (None: all) are on a discrete device."""
    parts = _layer_parts(model, load, experts_stay=experts_stay)
    left = [] if layers is None else parts[: len(parts) - layers]
    experts = sum(layer.expert_bytes for layer in model.layers) if experts_stay else 0
    inputs = compute.input_bytes(model, load)
    return Sum(
        place=main.place,
        weight_bytes=model.input_bytes + sum(part.weights for part in left) + experts,
        cache_bytes=sum(part.cache for part in left),
        state_bytes=sum(part.state for part in left),
        compute_bytes=(compute.compute_bytes(model, load) if left or experts else inputs)
        + memory.output_bytes(model, load),
        process_bytes=main_bytes(model, load) + DRIVER_MAIN_BYTES,
        budget_bytes=main.budget_bytes,
    )


def split(
    model: Model, load: Load, rooms: Sequence[Room], shares: Sequence[float] = ()
) -> tuple[tuple[int, ...], tuple[Sum, ...]]:
    """Layers for each device, in llama.cpp's order, filled evenly, and each device's sum.

    The counts themselves are the tensor_split: llama.cpp gives block i to the first device whose
    share of the sum lies above i / total, so whole counts come out as they went in.
    """
    parts = _layer_parts(model, load, experts_stay=False)
    # With several devices the scheduler keeps four copies of a batch's inputs.
    fixed = compute.compute_bytes(model, load) + 3 * compute.input_bytes(model, load)
    sizes = [part.weights + part.cache + part.state for part in parts]
    given = [room.budget_bytes - fixed - room.driver_bytes for room in rooms]
    counts = _by_shares(len(parts), shares) if shares else _even(sizes, given)
    sums, start = [], 0
    for count, room in zip(counts, rooms, strict=True):
        taken = parts[start : start + count]
        start += count
        sums.append(
            Sum(
                place=room.place,
                weight_bytes=sum(part.weights for part in taken),
                cache_bytes=sum(part.cache for part in taken),
                state_bytes=sum(part.state for part in taken),
                compute_bytes=fixed if count else 0,
                process_bytes=room.driver_bytes,
                budget_bytes=room.budget_bytes,
            )
        )
    return tuple(counts), tuple(sums)


def _by_shares(layers: int, shares: Sequence[float]) -> list[int]:
    """How llama.cpp divides so many layers by these shares (llama_model_base::load_tensors)."""
    whole, ends, counts = sum(shares), 0.0, [0] * len(shares)
    bounds = [ends := ends + share for share in shares]
    for at in range(layers):
        device = next(i for i, bound in enumerate(bounds) if at / layers < bound / whole)
        counts[device] += 1
    return counts


FILL_STEPS = 20  # halvings: fills agree to one part in a million


def _even(sizes: list[int], given: list[int]) -> list[int]:
    """Counts of consecutive layers so that the fullest device is as empty as can be."""
    low, high = 0.0, 1.0
    for _ in range(FILL_STEPS):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if sum(_fill(sizes, given, middle)) == len(sizes) else (middle, high)
        )
    counts = _fill(sizes, given, high)
    counts[-1] += len(sizes) - sum(counts)  # what fits nowhere; its sum then says so
    return counts


def _fill(sizes: list[int], given: list[int], share: float) -> list[int]:
    counts, at = [], 0
    for room in given:
        left, count = room * share, 0
        while at < len(sizes) and sizes[at] <= left:
            left -= sizes[at]
            at, count = at + 1, count + 1
        counts.append(count)
    return counts


def layers_that_fit(
    model: Model, load: Load, room: Room, main: Room, *, experts_stay: bool = False
) -> int:
    """The most layers, counted from the end, that fit the device while the rest fits beside it."""
    for layers in range(model.offloadable, 0, -1):
        here = on_device(model, load, room, layers, experts_stay=experts_stay)
        if here.fits and beside(model, load, main, layers, experts_stay=experts_stay).fits:
            return layers
    return 0
