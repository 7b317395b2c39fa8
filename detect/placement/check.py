"""What a user asked that cannot be, said with the mistake's name and the way out."""

from collections.abc import Sequence

import msgspec

from detect.advice import install_line
from detect.facts import Machine
from detect.model import Model
from detect.placement.budget import Room, device_room, is_left_alone, reaches, side_by_side
from detect.placement.result import Limits
from detect.placement.words import plural

GPUS_CONFUSED_MAX = 8
"""Up to here a number of layers may have been meant as a number of GPUs."""


class Wrong(msgspec.Struct, frozen=True):
    """A setting that cannot be used: what was seen, and what to type instead."""

    seen: str
    hint: str


def check(
    machine: Machine, model: Model, limits: Limits
) -> tuple[Limits, tuple[str, ...], Wrong | None]:
    """The limits as they will be used, notes on what was changed, and the first mistake."""
    notes: list[str] = []
    for test in (_workers, _context, _devices, _split):
        wrong = test(machine, model, limits)
        if wrong:
            return limits, (), wrong
    if model.form == "mlx":
        limits, notes = _in_one_piece(limits)
    layers = limits.gpu_layers
    if isinstance(layers, int) and layers < -1:
        return limits, (), Wrong(f"--gpu-layers {layers}", "a number from 0, auto, or all")
    if layers == -1:
        limits = msgspec.structs.replace(limits, gpu_layers="all")
    elif isinstance(layers, int) and layers > model.offloadable:
        notes.append(
            f"--gpu-layers {layers}: {model.name} has {model.offloadable} offloadable layers "
            f"({len(model.layers)} blocks and the output); all are taken"
        )
        limits = msgspec.structs.replace(limits, gpu_layers="all")
    elif isinstance(layers, int) and 0 < layers <= min(GPUS_CONFUSED_MAX, model.offloadable - 2):
        notes.append(
            f"--gpu-layers {layers} with {model.offloadable} offloadable layers: it counts layers "
            f"of the model, not GPUs. Did you mean {layers} GPUs? --gpu-layers all uses every GPU"
        )
    if limits.slots and limits.slots > 1 and not limits.seed_variation:
        notes.append(
            f"--no-seed-variation gives each worker one slot; --slots {limits.slots} is left out"
        )
    return limits, tuple(notes), None


def _in_one_piece(limits: Limits) -> tuple[Limits, list[str]]:
    """MLX holds a model whole in one memory: what would divide it is left out, and said."""
    asked = {"gpu-layers": limits.gpu_layers != "auto", "tensor-split": bool(limits.tensor_split)}
    notes = [
        f"--{name} is left out: MLX holds a model whole, on the GPU where there is one"
        for name, was in asked.items()
        if was
    ]
    return msgspec.structs.replace(limits, gpu_layers="auto", tensor_split=()), notes


def _workers(_machine: Machine, _model: Model, limits: Limits) -> Wrong | None:
    for name, value in (("workers", limits.workers), ("slots", limits.slots)):
        if value is not None and value < 1:
            return Wrong(f"--{name} {value}", f"--{name} 1 or more, or leave it out")
    return None


def _context(_machine: Machine, model: Model, limits: Limits) -> Wrong | None:
    asked = limits.context_tokens
    if asked is None:
        return None
    if asked < 1:
        return Wrong(f"--context {asked}", "--context 1 or more, or leave it out")
    if model.context_trained and asked > model.context_trained:
        return Wrong(
            f"--context {asked}: {model.name} was trained for {model.context_trained} tokens",
            f"--context {model.context_trained} or less",
        )
    return None


def _devices(machine: Machine, model: Model, limits: Limits) -> Wrong | None:
    asked = limits.gpu_layers
    if asked in {"auto", 0} or model.form == "mlx":
        return None
    present = [device for device in machine.devices if device.state == "ready"]
    reached = [device for device in present if reaches(device, model.form)]
    if reached:
        if not all(is_left_alone(device, limits) for device in reached):
            return None
        seen = f"--gpu-layers {asked}: {reached[0].name} is an integrated GPU, and left alone"
        return Wrong(seen, "--integrated uses it; or --gpu-layers auto")
    if present:
        name = present[0].name
        seen = f"--gpu-layers {asked}: this build of llama.cpp cannot use {name}"
        return Wrong(seen, install_line(present[0]))
    if machine.platform.system == "macos" and machine.platform.machine != "arm64":
        seen = f"--gpu-layers {asked}: no GPU to put layers on (macOS has Metal, not CUDA)"
        return Wrong(seen, "--gpu-layers 0")
    seen = f"--gpu-layers {asked}: this machine has no GPU that can be used"
    return Wrong(seen, "--gpu-layers auto; swarmctl doctor says what was looked for")


def _split(machine: Machine, model: Model, limits: Limits) -> Wrong | None:
    """Shares are one for each card that a model can be split over, in the order that is listed."""
    shares = limits.tensor_split
    if not shares or model.form == "mlx":
        return None
    rooms = (device_room(machine, one, limits, model.form) for one in machine.devices)
    usable = [room for room in rooms if isinstance(room, Room)]
    groups = side_by_side(usable)
    given = f"--tensor-split has {plural(len(shares), 'share')}"
    if not usable:
        seen = f"{given}, and there is no GPU that can be used"
        return Wrong(seen, "leave it out; swarmctl doctor says what was looked for")
    if not groups:
        seen = f"{given}, and a model is split over cards of one library; here is {_listed(usable)}"
        return Wrong(seen, "leave it out")
    if len(shares) not in map(len, groups):
        seen = f"{given} for " + ", or for ".join(
            f"{len(group)} devices: {_listed(group)}" for group in groups
        )
        return Wrong(seen, f"give {len(groups[0])} shares, or leave it out")
    if any(share < 0 for share in shares) or not sum(shares):
        said = ",".join(f"{share:g}" for share in shares)
        return Wrong(f"--tensor-split {said}: shares are 0 or more, not all 0", "such as 3,1")
    return _split_in_part(model, limits)


def _split_in_part(model: Model, limits: Limits) -> Wrong | None:
    """Layers that stay in main memory are planned beside one card only."""
    layers = limits.gpu_layers
    if not isinstance(layers, int) or layers == -1 or layers > model.offloadable:
        return None
    seen = f"--gpu-layers {layers} with --tensor-split: a split takes all layers of the model"
    return Wrong(seen, "leave one of them out")


def _listed(rooms: Sequence[Room]) -> str:
    return ", ".join(
        f"{room.device.engine_name} {room.device.name}" for room in rooms if room.device
    )
