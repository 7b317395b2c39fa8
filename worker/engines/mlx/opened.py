"""A model, its context and the batch shapes that suit both, opened together or not at all."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec

from detect.host import LiveHost
from detect.memory import read_memory
from detect.placement.engines import mlx_chunk_tokens
from detect.placement.mlx import WIRED_SPARE_BYTES
from detect.placement.words import plural
from detect.placement.words import size as said
from worker.engines.batched.parts import Context, DecodeFailed
from worker.engines.batched.rows import Rows, Trial, measure
from worker.engines.mlx.context import Apart, Size, Together, tried
from worker.engines.mlx.folder import check, weight_files
from worker.engines.mlx.layers import leaves
from worker.engines.mlx.library import Settings, no_room, on_gpu
from worker.engines.mlx.model import Model
from worker.engines.options import CONTEXT_TOKENS_DEFAULT, EngineOptions, LoadError, at_least

APART = "decodes one sequence at a time: MLX cannot batch this model's caches"
CLOSE = 0.05  # of the logits' spread: batch and single sequence differ by rounding, not by more
# Metal multiplies 4-bit rows one by one up to 5 rows on an M1 or M2, 9 and more on later ones
# (get_qmv_batch_limit in MLX's quantized.cpp).
ON_GPU = Trial(groups=())  # batches are not kept small for equal bits: docs/decisions/0005
ON_CPU = Trial(lone_tokens=2, group_tokens=2)  # 150 M weights in 4 bits take a second a row
SLOW = "runs on the CPU, where llama.cpp is many times faster: prefer a .gguf form of the model"
MIB = 2**20


class Opened:
    """Everything that holds memory. Raises LoadError, with nothing left open."""

    def __init__(self, folder: Path, slots: int, options: EngineOptions) -> None:
        gpu = on_gpu(mx, options.gpu_layers)
        self._settings = Settings(mx, gpu=gpu)
        mx.reset_peak_memory()
        try:
            self._open(folder, slots, options, gpu=gpu)
        except BaseException:
            self._settings.restore()
            raise

    def close(self) -> None:
        """Free context and model, and put back what was set for the whole process."""
        self.context.close()
        self.model.close()
        self._settings.restore()

    def notes(self, chat: bool) -> tuple[str, ...]:
        """What a user should know of this model on this machine."""
        trained = self.model.context_tokens
        told = {
            SLOW: not self.size.gpu,
            APART: isinstance(self.context, Apart),
            "a seed may give another text in a batch than alone: kernels differ by batch size": (
                not self.rows.same
            ),
            "a base model without chat template: prompts go in as they are": not chat,
            f"its context is above the {trained} tokens of its training": (
                0 < trained < self.size.context_tokens
            ),
        }
        return tuple(note for note, holds in told.items() if holds)

    def load_log(self) -> str:
        """Where the model is and what it took, in the words that detect.placement.readback reads.

        What is beyond weights and cache is the peak so far: the widest step that was computed.
        """
        place = str(mx.device_info().get("device_name", "GPU")) if self.size.gpu else "CPU"
        place = place.replace(" ", "-")
        cache = self.context.cache_bytes
        compute = max(int(mx.get_peak_memory()) - self._weight_bytes - cache, 0)
        sizes = {"model": self._weight_bytes, "KV": cache, "compute": compute}
        lines = [
            f"mlx: {place} {kind} buffer size = {count / MIB:.2f} MiB"
            for kind, count in sizes.items()
        ]
        if self.size.gpu:  # MLX has all layers there, or none
            layers = self.model.layers + 1
            lines.append(f"mlx: offloaded {layers}/{layers} layers to GPU")
        return "\n".join(lines)

    def _open(self, folder: Path, slots: int, options: EngineOptions, *, gpu: bool) -> None:
        config = check(folder)
        if not gpu:
            _check_weights(folder)
        before = int(mx.get_active_memory())
        self.model = Model(folder, config)
        self._weight_bytes = int(mx.get_active_memory()) - before
        try:
            self.size = _size(self.model, slots, options, gpu=gpu)
            self._prepare(options)
        except LoadError:
            raise
        except Exception as error:  # a family's own code may raise anything
            raise LoadError(
                f"{folder} loads but does not compute",
                str(error) or type(error).__name__,
                "give fewer --slots or a smaller --context",
                no_room=no_room(error),
            ) from error

    def _prepare(self, options: EngineOptions) -> None:
        network, size = self.model.network, self.size
        found = tried(network)
        self.vocabulary_tokens = found.vocabulary_tokens
        wanted = _cache_bytes(found.used, size) if found.joins else 0
        _check_room(wanted, size)
        self._settings.wire(
            options.wired_limit_bytes or self._weight_bytes + wanted + WIRED_SPARE_BYTES
        )
        self.context: Together | Apart = (
            Together(network, size, found.used) if found.joins else Apart(network, size)
        )
        try:
            self.rows = _measured(self.context, size, self.vocabulary_tokens)
        except Exception as error:  # whatever a family's own code makes of a batch
            if not found.joins or no_room(error):
                raise  # without one it would be no better
            self.context.close()
            self.context = Apart(network, size)
            self.rows = _measured(self.context, size, self.vocabulary_tokens)


def _size(model: Model, slots: int, options: EngineOptions, *, gpu: bool) -> Size:
    trained = model.context_tokens or CONTEXT_TOKENS_DEFAULT
    size = Size(
        slots=slots,
        context_tokens=options.context_tokens or min(trained, CONTEXT_TOKENS_DEFAULT),
        chunk=options.batch_tokens
        or mlx_chunk_tokens(model.parameters, gpu=gpu, quantised=model.quantised),
        gpu=gpu,
    )
    at_least(size.context_tokens, size.chunk, options.threads)
    if 0 < model.positions < size.context_tokens:  # MLX would read behind the table's end
        raise LoadError(
            f"--context is {size.context_tokens}",
            f"this model has learned {model.positions} positions and knows no others",
            f"give --context {model.positions} or less",
        )
    return size


def _cache_bytes(used: list[Any], size: Size) -> int:
    """Keys and values of all rows, by those of one token; states of recurrent layers are small."""
    kept = (
        one.keys[:, :, :1].nbytes + one.values[:, :, :1].nbytes
        for one in leaves(used)
        if hasattr(one, "keys")
    )
    return int(sum(kept)) * size.slots * size.context_tokens


def _check_weights(folder: Path) -> None:
    """Refuse weights that main memory cannot hold, before the system kills some process for it."""
    _refuse_beyond(
        _weights_bytes(folder), "no room for the weights", "choose a smaller model or quantisation"
    )


def _weights_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in weight_files(folder))


def _check_room(wanted: int, size: Size) -> None:
    """The same of the cache: MLX asks for the memory and gets it, as far as the system promises."""
    _refuse_beyond(
        wanted,
        f"no room for {plural(size.slots, 'slot')} of {size.context_tokens} tokens",
        "give fewer --slots or a smaller --context",
    )


def _refuse_beyond(wanted: int, seen: str, hint: str) -> None:
    memory, _ = read_memory(LiveHost())
    room = memory.headroom_bytes
    if room is not None and wanted > room:
        raise LoadError(seen, f"that takes {said(wanted)}, and {said(room)} are free", hint,
                        no_room=True)  # fmt: skip


def _measured(context: Together | Apart, size: Size, vocabulary_tokens: int) -> Rows:
    """Batch shapes, when one row's logits are those of the same tokens on the desk.

    Raises DecodeFailed where they are not: a family whose batches come out wrong.
    """
    rows = measure(context, vocabulary_tokens, size.slots, ON_GPU if size.gpu else ON_CPU)
    alone, padded = _alone(context, pad=False), _alone(context, pad=rows.pad_single)
    _check_close(context, alone)
    if size.slots > 1 and rows.same and _beside_a_long_one(context, size) != padded:
        rows = msgspec.structs.replace(rows, pad_single=False, group_rows=size.slots, same=False)
    return rows


_PROMPT = (1, 0, 1)  # any tokens: every vocabulary has two


def _alone(context: Context, *, pad: bool) -> bytes:
    """Logits of one short sequence by itself."""
    _begin(context, 1)
    context.decode(_PROMPT[-1:], [len(_PROMPT) - 1], pad=pad)
    return _taken(context, 1)


def _beside_a_long_one(context: Context, size: Size) -> bytes:
    """The same with one beside it that ends with the context: more cells are read for both."""
    _begin(context, 2)
    context.decode(_PROMPT[-1:] * 2, [len(_PROMPT) - 1, size.context_tokens - 1])
    return _taken(context, 2)


def _begin(context: Context, rows: int) -> None:
    context.prefill(_PROMPT[:-1], wants_logits=False)
    state, _ = context.take_desk()
    for row in range(rows):
        context.restore(row, state)


def _taken(context: Context, rows: int) -> bytes:
    logits = bytes(context.logits(0).tobytes())
    for row in range(rows):
        context.clear(row)
    return logits


def _check_close(context: Together | Apart, decoded: bytes) -> None:
    context.prefill(_PROMPT, wants_logits=True)
    context.clear_desk()
    expected = memoryview(context.desk_logits().tobytes()).cast("f")
    spread = max(expected) - min(expected)
    apart = max(abs(a - b) for a, b in zip(memoryview(decoded).cast("f"), expected, strict=True))
    if not apart <= CLOSE * spread:
        raise DecodeFailed(f"logits of a batch are {apart:.3g} off, of a spread of {spread:.3g}")
