"""The cache of keys and values: a stream for each live sequence, and one to compute prompts in.

Streams 0 to rows - 1 each hold one live sequence, without gaps: llama.cpp splits a batch wherever
stream numbers are not consecutive. Prompts are computed in the last stream, the desk, then saved
and copied. All buffers of a batch are made once; a step writes tokens and positions only.
"""

import ctypes
from collections.abc import Collection, Sequence
from math import isnan
from typing import Any

import msgspec

from detect.placement.words import plural
from worker.engines.batched.parts import NO_TOKEN, DecodeFailed
from worker.engines.llamacpp.library import last_lines, native
from worker.engines.llamacpp.model import Model, logits_table, logits_view
from worker.engines.llamacpp.sampling import Candidates, Sampler
from worker.engines.options import LoadError

KV_TYPES = {"f16": 1, "q8_0": 8}  # ggml_type in ggml.h
FLASH_ATTENTION_AUTO = -1
FLASH_ATTENTION_OFF = 0
NO_ROOM = 1  # llama_decode: no cells for the batch


class Size(msgspec.Struct, frozen=True):
    """What a context is made for."""

    slots: int
    context_tokens: int  # of one sequence
    chunk: int  # prompt tokens in one batch
    threads: int
    gpu: bool
    kv_type: str = "f16"

    def streams(self, recurrent: bool) -> int:
        """One for each slot and the desk.

        A running state cannot lend itself to a padding row and be cut back afterwards: with such
        models the padding row has a stream of its own.
        """
        return self.slots + (2 if recurrent else 1)


class _Batch:
    """A llama_batch whose arrays live as long as this object."""

    def __init__(self, lib: Any, rows: int) -> None:
        self.tokens: Any = (ctypes.c_int32 * rows)()
        self.positions: Any = (ctypes.c_int32 * rows)()
        self.streams: Any = (ctypes.c_int32 * rows)()
        self.wanted: Any = (ctypes.c_int8 * rows)()
        self._counts = (ctypes.c_int32 * rows)(*([1] * rows))
        pointer = ctypes.POINTER(ctypes.c_int32)
        size = ctypes.sizeof(ctypes.c_int32)
        first = ctypes.addressof(self.streams)
        self._lists = (pointer * (rows + 1))(
            *(ctypes.cast(first + row * size, pointer) for row in range(rows))
        )
        self.struct = lib.llama_batch(
            n_tokens=0,
            token=self.tokens,
            embd=None,
            pos=self.positions,
            n_seq_id=self._counts,
            seq_id=self._lists,
            logits=self.wanted,
        )


class Context:
    """One llama_context; raises LoadError when it does not fit in memory."""

    def __init__(self, model: Model, size: Size) -> None:
        self._lib = lib = native()
        self._vocabulary_tokens = model.vocabulary_tokens
        self._window = 0 if model.recurrent else model.window_tokens
        streams = size.streams(model.recurrent)
        self.desk = streams - 1
        self.desk_length = 0
        self._first = 0  # row of the last decode
        rows_max = max(size.chunk, streams)
        params = lib.llama_context_default_params()
        params.n_ctx = streams * size.context_tokens
        params.n_batch = params.n_ubatch = rows_max
        params.n_seq_max = streams
        params.n_threads = params.n_threads_batch = size.threads
        # Logits are wanted of one row a stream; else a batch reserves rows x vocabulary for them.
        params.n_outputs_max = streams
        params.kv_unified = False
        params.swa_full = False  # layers with a window keep that, and not the whole context
        flash = size.gpu or size.kv_type != "f16"  # quantised values can only be read by it
        params.flash_attn_type = FLASH_ATTENTION_AUTO if flash else FLASH_ATTENTION_OFF
        params.type_k = params.type_v = KV_TYPES[size.kv_type]
        params.offload_kqv = params.op_offload = size.gpu
        params.no_perf = True
        self.handle = lib.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise LoadError(
                f"no room for {plural(size.slots, 'slot')} of {size.context_tokens} tokens",
                last_lines() or "llama.cpp gave no reason",
                "give fewer --slots or a smaller --context",
                no_room=True,
            )
        self._memory = lib.llama_get_memory(self.handle)
        self._rows = _Batch(lib, streams)
        self._rows.streams[:] = range(streams)
        self._rows.wanted[:] = [1] * streams
        self._prompt = _Batch(lib, size.chunk)
        self._prompt.streams[:] = [self.desk] * size.chunk
        self._candidates = Candidates(self._vocabulary_tokens)
        self._decode = lib.llama_decode
        self._sample = lib.llama_sampler_sample

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], first: int = 0, pad: bool = False
    ) -> None:
        """Compute one row each for the streams first, first + 1, …; raises DecodeFailed.

        With `pad`, one more row that is thrown away follows, in the next stream, which is empty
        or the desk.
        """
        count = len(tokens)
        batch = self._rows
        batch.tokens[:count] = tokens
        batch.positions[:count] = positions
        batch.streams[:count] = range(first, first + count)
        beside = first + count
        at = self.desk_length if beside == self.desk else 0
        self._first = first
        if pad:
            batch.tokens[count], batch.positions[count] = tokens[0], at
            batch.streams[count] = beside
        batch.struct.n_tokens = count + pad
        self._run(batch)
        if pad:
            self._lib.llama_memory_seq_rm(self._memory, beside, at, -1)

    def sampler(self, seed: int, temperature: float) -> Sampler:
        """A chain of samplers with its own seed."""
        return Sampler(seed, temperature)

    def draw(self, samplers: Sequence[Sampler]) -> list[int]:
        """The next token of each row of the last decode, or NO_TOKEN; raises DecodeFailed."""
        logits = self._all_logits(len(samplers))
        if self._candidates.leading:
            drawn = self._candidates.sample_rows(samplers, logits)
        else:
            drawn = [
                NO_TOKEN if isnan(top) else int(self._sample(one.chain, self.handle, row))
                for row, (one, top) in enumerate(zip(samplers, logits.max(axis=1), strict=True))
            ]
        if NO_TOKEN in drawn:
            self._cleanse({self._first + at for at, token in enumerate(drawn) if token == NO_TOKEN})
        return drawn

    def draw_first(self, sampler: Sampler, logits: Any) -> int:
        """The token after a prompt whose logits were kept."""
        return self._candidates.sample(sampler, logits)

    def prefill(self, tokens: Sequence[int], wants_logits: bool) -> None:
        """Append tokens to the desk, at most a chunk of them; raises DecodeFailed."""
        count, batch = len(tokens), self._prompt
        batch.tokens[:count] = tokens
        batch.positions[:count] = range(self.desk_length, self.desk_length + count)
        batch.wanted[:count] = [0] * (count - 1) + [int(wants_logits)]
        batch.struct.n_tokens = count
        self._run(batch)
        self.desk_length += count
        if wants_logits and isnan(self._all_logits(1).max()):
            self._cleanse({self.desk})
            raise DecodeFailed("the model's values after the prompt are no numbers")

    def logits(self, row: int) -> Any:
        """A copy of one row of logits of the last batch."""
        return logits_view(
            self._lib.llama_get_logits_ith(self.handle, row), self._vocabulary_tokens
        )

    def _all_logits(self, rows: int) -> Any:
        """Logits of the last batch's rows, (rows, vocabulary), where the library holds them: gone
        at the next decode."""
        return logits_table(self._lib.llama_get_logits(self.handle), rows, self._vocabulary_tokens)

    def desk_logits(self) -> Any:
        """A copy of the logits after the prompt on the desk: the last that were computed."""
        return self.logits(-1)

    def save(self, stream: int) -> tuple[Any, int]:
        """What a stream holds, as a buffer for `restore`, and its size in bytes."""
        size = self._lib.llama_state_seq_get_size(self.handle, stream)
        state = (ctypes.c_uint8 * size)()
        written = self._lib.llama_state_seq_get_data(self.handle, state, size, stream)
        assert written == size, "the library wrote what it announced"
        return state, size

    def take_desk(self) -> tuple[Any, int]:
        """What the desk holds, and its size in bytes; the desk is empty after."""
        taken = self.save(self.desk)
        self.clear_desk()
        return taken

    def restore(self, stream: int, state: Any) -> None:
        """Fill a stream, from its first cell, with what `save` gave."""
        self.clear(stream)
        read = self._lib.llama_state_seq_set_data(self.handle, state, len(state), stream)
        assert read, f"an empty stream holds what one like it held: {last_lines()}"

    def move(self, origin: int, target: int) -> None:
        """Put one stream's sequence in place of another's; raises DecodeFailed."""
        if self._in_window(origin):
            state, _ = self.save(origin)
            self.restore(target, state)
        else:
            self._copy_cells(origin, target)

    def _in_window(self, stream: int) -> bool:
        """Whether the model's window has dropped nothing of it yet.

        A saved state is put back without gaps. Where the window has made some, later tokens would
        come into other cells than if it had stayed, and attention adds up cells in their order.
        """
        least = self._lib.llama_memory_seq_pos_min(self._memory, stream)
        most = self._lib.llama_memory_seq_pos_max(self._memory, stream)
        return not self._window or (least == 0 and most < self._window)

    def _copy_cells(self, origin: int, target: int) -> None:
        """All cells of a stream as they are. llama.cpp copies them when it next decodes, and what
        happens to either stream before would be copied too; so a token is decoded and dropped."""
        self.clear(target)
        self._lib.llama_memory_seq_cp(self._memory, origin, target, -1, -1)
        batch = self._rows
        batch.tokens[0], batch.positions[0] = 0, self.desk_length
        batch.streams[0] = self.desk
        batch.struct.n_tokens = 1
        self._run(batch)
        self._lib.llama_memory_seq_rm(self._memory, self.desk, self.desk_length, -1)

    def clear(self, stream: int) -> None:
        """Forget a stream."""
        self._lib.llama_memory_seq_rm(self._memory, stream, -1, -1)

    def clear_desk(self) -> None:
        """Forget the prompt being computed."""
        self.clear(self.desk)
        self.desk_length = 0

    def begin_desk(self, state: Any, length: int) -> bool:
        """Start the desk with the first `length` tokens of a saved prompt; False if it cannot.

        A running state cannot be cut back; nor can a prompt longer than the model's window, whose
        beginning is gone.
        """
        self.restore(self.desk, state)
        whole = self._lib.llama_memory_seq_pos_min(self._memory, self.desk) == 0
        if not whole or not self._lib.llama_memory_seq_rm(self._memory, self.desk, length, -1):
            self.clear_desk()
            return False
        self.desk_length = length
        return True

    def _cleanse(self, spoilt: Collection[int]) -> None:
        """Put zeros into all cells but those of the other streams' sequences.

        Attention adds cells that no sequence has any more, times nothing; no number stays none.
        """
        lib, memory = self._lib, self._memory
        kept = {
            stream: self.save(stream)[0]
            for stream in range(self.desk + 1)
            if stream not in spoilt and lib.llama_memory_seq_pos_max(memory, stream) >= 0
        }
        lib.llama_memory_clear(memory, True)
        for stream, state in kept.items():
            self.restore(stream, state)

    def close(self) -> None:
        """Free the cache."""
        if self.handle:
            self._lib.llama_free(self.handle)
            self.handle = None

    def _run(self, batch: _Batch) -> None:
        code = self._decode(self.handle, batch.struct)
        if code == 0:
            return
        cause = "no room in the cache" if code == NO_ROOM else f"llama_decode returned {code}"
        raise DecodeFailed(f"{cause}: {last_lines() or 'no reason was given'}")
