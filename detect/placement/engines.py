"""How our engines lay a model out: the part of the sums that is their choice, not llama.cpp's.

The worker's llamacpp engine gives each sequence a stream of its own and keeps one more to compute
prompts in (two when the model is recurrent); on a CPU it leaves flash attention off and computes
prompts in chunks of about 0.3 s. The mlx engine has a row of all cells for each sequence, and
computes prompts beside them. tests/detect hold these rules equal to the engines.
"""

from detect.model import Model
from detect.placement.memory import LOGIT_BYTES, Load, cache_bytes, state_bytes
from detect.placement.result import CacheType

CHUNK_WORK = 16_000_000_000  # weights x tokens of one chunk on a CPU
CHUNK_MIN, CHUNK_MAX = 16, 256
CHUNK_GPU = 512
MLX_WORK_GPU = 1_000_000_000_000  # weights x tokens: about a second of an M1 (2.6 TFLOPS)
MLX_CHUNK_GPU_MIN = 64  # below, the weights' way through memory is what takes the time
MLX_WORK = 1_000_000_000  # on a CPU, where MLX has one thread: measured, docs/decisions/0203
MLX_WORK_QUANTISED = 50_000_000
SMALL_PARAMETERS = 20_000_000  # below, waiting for the other thread costs more than it computes
PREFIX_BYTES = 256 << 20  # of prompts that the engine keeps in main memory for reuse, at most
PREFIX_SHARE = 8  # and no more than this part of what main memory may give
PREFIXES_KEPT = 64  # full-length prompts that a tiny model, whose prompts are small, keeps


def chunk_tokens(parameters: int, *, gpu: bool) -> int:
    """Prompt tokens computed at once: a power of two."""
    if gpu:
        return CHUNK_GPU
    return _power_of_two(CHUNK_WORK // max(1, parameters), CHUNK_MIN, CHUNK_MAX)


def mlx_chunk_tokens(parameters: int, *, gpu: bool, quantised: bool) -> int:
    """Prompt tokens that MLX computes at once, a power of two: some 0.3 s of work.

    By size and form alone, so that the same model has the same chunks each time it is loaded.
    """
    if gpu:
        return _power_of_two(MLX_WORK_GPU // max(1, parameters), MLX_CHUNK_GPU_MIN, CHUNK_GPU)
    work = MLX_WORK_QUANTISED if quantised else MLX_WORK
    return _power_of_two(work // max(1, parameters), 1, CHUNK_MAX)


def _power_of_two(wanted: int, least: int, most: int) -> int:
    return max(least, min(most, 1 << (max(1, wanted).bit_length() - 1)))


def prefix_bytes(model: Model, load: Load) -> int:
    """Main memory for prompts kept for reuse: each is a stream's state and a row of logits."""
    streams = sum(
        cache_bytes(model, one, load) + state_bytes(model, one, load) for one in model.layers
    )
    return min(
        load.prefix_bytes_max, PREFIXES_KEPT * (streams // load.streams + model.vocab * LOGIT_BYTES)
    )


def threads(parameters: int, cores: int) -> int:
    """Threads that pay: one for each core, one alone for a tiny model."""
    return 1 if parameters < SMALL_PARAMETERS else cores


def llamacpp(
    model: Model,
    slots: int,
    context_tokens: int,
    *,
    gpu: bool,
    kv_type: CacheType = "f16",
    half_copies: bool = False,
    prefix_bytes_max: int = PREFIX_BYTES,
) -> Load:
    """The load of one worker with the llamacpp engine."""
    streams = slots + (2 if model.has_recurrent else 1)
    return Load(
        slots=slots,
        context_tokens=context_tokens,
        streams=streams,
        batch_tokens=max(chunk_tokens(model.parameters, gpu=gpu), streams),
        flash=gpu,
        kv_type=kv_type,
        half_copies=half_copies,
        prefix_bytes_max=prefix_bytes_max,
    )


def mlx(
    model: Model,
    slots: int,
    context_tokens: int,
    *,
    gpu: bool,
    prefix_bytes_max: int = PREFIX_BYTES,
) -> Load:
    """The load of one worker with the mlx engine: a row for each sequence, and one more prompt."""
    return Load(
        slots=slots,
        context_tokens=context_tokens,
        streams=slots + 1,
        batch_tokens=max(
            mlx_chunk_tokens(model.parameters, gpu=gpu, quantised=model.quant.endswith("bit")),
            slots,
        ),
        prefix_bytes_max=prefix_bytes_max,
    )
