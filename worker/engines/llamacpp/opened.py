"""A model, its context and the batch shapes that suit both, opened together or not at all."""

import platform

from detect.host import LiveHost
from detect.memory import read_memory
from detect.placement.words import plural
from detect.placement.words import size as said
from worker.engines.batched.parts import DecodeFailed
from worker.engines.batched.rows import Trial, measure
from worker.engines.llamacpp.context import Context, Size
from worker.engines.llamacpp.library import native
from worker.engines.llamacpp.model import Model
from worker.engines.llamacpp.threads import threads_for
from worker.engines.options import CONTEXT_TOKENS_DEFAULT, EngineOptions, LoadError, at_least

CHUNK_WORK = 16_000_000_000  # weights x tokens in about 0.3 s on two slow cores
CHUNK_MIN, CHUNK_MAX = 16, 256  # smaller wastes the weights' way through memory
CHUNK_GPU = 512


class Opened:
    """Everything that holds memory. Raises LoadError, with nothing left open."""

    def __init__(self, path: str, slots: int, options: EngineOptions) -> None:
        # On x86-64 repacked weights are not equal in all batches (K types); elsewhere it is tried.
        repacked = platform.machine().lower() not in ("x86_64", "amd64")
        self._open(path, slots, options, repacked)
        if repacked and not self.rows.same and not self.size.gpu:
            self.close()
            self._open(path, slots, options, repacked=False)

    def close(self) -> None:
        """Free the context, then the model."""
        self.context.close()
        self.model.close()

    def notes(self, chat: bool) -> tuple[str, ...]:
        """What a user should know of this model on this machine."""
        size, trained = self.size, self.model.context_tokens
        plural = "" if size.threads == 1 else "s"
        said = {
            f"runs on the CPU with {size.threads} thread{plural}": not size.gpu,
            "a seed may give another text in a batch than alone: kernels differ by batch size": (
                not self.rows.same
            ),
            "a base model without chat template: prompts go in as they are": not chat,
            f"its context is above the {trained} tokens of its training": (
                size.context_tokens > trained
            ),
        }
        return tuple(note for note, holds in said.items() if holds)

    def _open(self, path: str, slots: int, options: EngineOptions, repacked: bool) -> None:
        gpu = bool(native().llama_supports_gpu_offload()) and options.gpu_layers != 0
        self.model = Model(path, options, gpu=gpu, repacked=repacked)
        try:
            self.size = _size(self.model, slots, options, gpu)
            _check_memory(self.model, self.size)
            self.context = Context(self.model, self.size)
        except LoadError:
            self.model.close()
            raise
        # A GPU's batches are not kept small for equal bits: docs/decisions/0005 has what it cost.
        trial = Trial(groups=()) if self.size.gpu else Trial()
        try:
            self.rows = measure(self.context, self.model.vocabulary_tokens, slots, trial)
        except DecodeFailed as error:
            self.close()
            raise LoadError(
                f"{path} loads but does not compute",
                str(error),
                "give fewer --slots or a smaller --context",
            ) from error


def _size(model: Model, slots: int, options: EngineOptions, gpu: bool) -> Size:
    size = Size(
        slots=slots,
        context_tokens=options.context_tokens or min(model.context_tokens, CONTEXT_TOKENS_DEFAULT),
        chunk=options.batch_tokens or _chunk(model.parameters, gpu),
        threads=options.threads or threads_for(model.parameters),
        gpu=gpu,
        kv_type=options.kv_type,
    )
    at_least(size.context_tokens, size.chunk, size.threads)
    return size


def _check_memory(model: Model, size: Size) -> None:
    """Refuse a cache that main memory cannot hold, before the system kills some process for it.

    llama.cpp asks for the memory and gets it, since the system promises more than there is.
    """
    if size.gpu or model.recurrent:
        return
    wanted = size.streams(recurrent=False) * size.context_tokens * model.cache_bytes_per_token
    memory, _ = read_memory(LiveHost())
    room = memory.headroom_bytes
    if room is not None and wanted > room:
        raise LoadError(
            f"no room for {plural(size.slots, 'slot')} of {size.context_tokens} tokens",
            f"the cache takes {said(wanted)}, and {said(room)} are free",
            "give fewer --slots or a smaller --context",
            no_room=True,
        )


def _chunk(parameters: int, gpu: bool) -> int:
    """A power of two from the model's size alone: other sizes may round logits differently."""
    if gpu:
        return CHUNK_GPU
    wanted = max(1, CHUNK_WORK // max(1, parameters))
    return max(CHUNK_MIN, min(CHUNK_MAX, 1 << (wanted.bit_length() - 1)))
