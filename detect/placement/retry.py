"""After running out of memory at load: a smaller worker, at most three times, each one reported."""

import msgspec

from detect.placement import pin
from detect.placement.result import PlannedWorker
from detect.placement.slots import CONTEXT_FLOOR
from detect.placement.words import plural

RETRIES_MAX = 3
LAYERS_SHARE = 0.9  # each step leaves a tenth of the layers to main memory


def step_down(
    worker: PlannedWorker, attempt: int, offloadable: int
) -> tuple[PlannedWorker, str] | None:
    """The worker to try after failure number `attempt` (from 1), and what changed; None: give up.

    First a shorter context, then fewer layers on the GPU, then the CPU; on a CPU fewer slots. With
    MLX fewer slots at once: GPU and CPU have one memory, and all layers are in it.
    """
    if attempt > RETRIES_MAX:
        return None
    if worker.context_tokens > CONTEXT_FLOOR:
        cells = worker.cells * CONTEXT_FLOOR // worker.context_tokens
        smaller = msgspec.structs.replace(worker, context_tokens=CONTEXT_FLOOR, cells=cells)
        return smaller, f"context {CONTEXT_FLOOR} instead of {worker.context_tokens} tokens"
    splits = worker.engine != "mlx"
    if splits and worker.gpu_layers != 0 and attempt < RETRIES_MAX:
        layers = offloadable if worker.gpu_layers < 0 else worker.gpu_layers
        fewer = int(layers * LAYERS_SHARE)
        smaller = msgspec.structs.replace(worker, gpu_layers=fewer, tensor_split=())
        return smaller, f"{fewer} of {offloadable} layers on the GPU instead of {layers}"
    if splits and worker.gpu_layers != 0:
        smaller = msgspec.structs.replace(
            worker, gpu_layers=0, devices=(), tensor_split=(), env=pin.closed(worker.env)
        )
        return smaller, "the CPU instead of the GPU"
    if worker.slots > 1:
        fewer = worker.slots // 2
        streams = worker.streams - worker.slots + fewer
        cells = worker.cells // worker.streams * streams
        smaller = msgspec.structs.replace(worker, slots=fewer, streams=streams, cells=cells)
        return smaller, f"{plural(fewer, 'slot')} instead of {worker.slots}"
    return None


def ending(oom_kills_before: int | None, oom_kills_after: int | None, signal: int | None) -> str:
    """Name how a worker ended: the memory guard's own word when the kernel counted a kill.

    `oom_kill` of the group's memory.events, before and after; signal 9 without a count is only
    suspected, since anyone may send it.
    """
    if oom_kills_before is not None and oom_kills_after is not None:
        if oom_kills_after > oom_kills_before:
            return "killed by the system for lack of memory (oom_kill)"
        return f"ended by signal {signal}" if signal else "ended"
    if signal == 9:
        return "killed by signal 9, perhaps for lack of memory"
    return f"ended by signal {signal}" if signal else "ended"
