"""One loaded GGUF file: its vocabulary, its metadata, and clear words when it cannot be loaded."""

import ctypes
import hashlib
import re
from pathlib import Path
from typing import Any

from detect import experts
from worker.engines.llamacpp.library import last_lines, load_log, log, native
from worker.engines.options import EngineOptions, LoadError

MAGIC = b"GGUF"
PIECE_BYTES_MAX = 256  # the first try; the library says when a token is longer
_NO_MEMORY = ("out of memory", "failed to allocate", "unable to allocate", "bad_alloc")
"""What llama.cpp, CUDA and Vulkan say when a buffer cannot be had."""
_SPLIT = re.compile(r"^(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})\.gguf$")


class Model:
    """Weights and vocabulary. Raises LoadError when the file is no complete model for text."""

    def __init__(self, path: str, options: EngineOptions, *, gpu: bool, repacked: bool) -> None:
        self._lib = native()
        _check_file(path)
        log.clear()
        load_log.clear()
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = -1 if options.gpu_layers is None else options.gpu_layers
        params.use_extra_bufts = repacked
        if gpu:  # without one, llama.cpp refuses any main_gpu
            _split(self._lib, params, options)
        kept = experts.keep(params) if options.experts_in_main_memory else None
        self.handle = self._lib.llama_model_load_from_file(path.encode(), params)
        del kept
        if not self.handle:
            raise _not_loaded(path)
        self.vocabulary = self._lib.llama_model_get_vocab(self.handle)
        self.vocabulary_tokens: int = self._lib.llama_vocab_n_tokens(self.vocabulary)
        self._pieces: dict[int, bytes] = {}  # bounded by the vocabulary
        self._ends: dict[int, bool] = {}
        if not self._lib.llama_model_has_decoder(self.handle) or self._lib.llama_model_has_encoder(
            self.handle
        ):
            self.close()
            raise LoadError(
                f"{path} cannot be used",
                "it is an encoder or an embedding model, not one that continues text",
                "choose a model made for chat or text generation",
            )

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return int(self._lib.llama_model_n_params(self.handle))

    @property
    def context_tokens(self) -> int:
        """The longest sequence the model was trained on."""
        return int(self._lib.llama_model_n_ctx_train(self.handle))

    @property
    def recurrent(self) -> bool:
        """Whether its memory is a running state, at least in part: it cannot be cut back."""
        return bool(
            self._lib.llama_model_is_recurrent(self.handle)
            or self._lib.llama_model_is_hybrid(self.handle)
        )

    @property
    def window_tokens(self) -> int:
        """How many tokens back some of its layers look; 0 when all look at everything."""
        return int(self._lib.llama_model_n_swa(self.handle))

    @property
    def cache_bytes_per_token(self) -> int:
        """What one token takes in the cache at 16 bits; too much for models that keep a window."""
        lib, handle = self._lib, self.handle
        heads, heads_kv = lib.llama_model_n_head(handle), lib.llama_model_n_head_kv(handle)
        width = lib.llama_model_n_embd(handle) // max(1, heads) * heads_kv
        return int(lib.llama_model_n_layer(handle) * width * 2 * 2)

    def metadata(self, key: str) -> str:
        """A value of the file's header as text, "" when there is none."""
        size = self._lib.llama_model_meta_val_str(self.handle, key.encode(), None, 0)
        if size < 0:
            return ""
        buffer = ctypes.create_string_buffer(size + 1)
        self._lib.llama_model_meta_val_str(self.handle, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def template(self) -> str:
        """The chat template, "" for a base model."""
        found = self._lib.llama_model_chat_template(self.handle, None)
        return found.decode("utf-8", "replace") if found else ""

    def special(self, which: str) -> str:
        """The text of the `bos` or `eos` token, "" when the vocabulary has none."""
        token = getattr(self._lib, f"llama_vocab_{which}")(self.vocabulary)
        if token < 0:
            return ""
        return bytes(self._lib.llama_vocab_get_text(self.vocabulary, token)).decode("utf-8")

    def tokenize(self, text: str, add_special: bool) -> tuple[int, ...]:
        """Tokens of a text in which special tokens are written out, such as <|im_start|>.

        `add_special` puts the model's own first (or last) token where its file asks for one.
        """
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8  # a token is at least a byte, and a few are added
        buffer = (ctypes.c_int32 * room)()
        count = self._lib.llama_tokenize(
            self.vocabulary, raw, len(raw), buffer, room, add_special, True
        )
        assert count >= 0, "a token is at least one byte"
        return tuple(buffer[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of one token of an answer; none for control tokens."""
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._read_piece(token, PIECE_BYTES_MAX)
        return found

    def ends(self, token: int) -> bool:
        """Whether this token ends a generation."""
        found = self._ends.get(token)
        if found is None:
            found = self._ends[token] = bool(self._lib.llama_vocab_is_eog(self.vocabulary, token))
        return found

    def close(self) -> None:
        """Free the weights. Every context of the model must be closed before."""
        if self.handle:
            self._lib.llama_model_free(self.handle)
            self.handle = None

    def _read_piece(self, token: int, room: int) -> bytes:
        buffer = ctypes.create_string_buffer(room)
        size = self._lib.llama_token_to_piece(self.vocabulary, token, buffer, room, 0, False)
        return buffer.raw[:size] if size >= 0 else self._read_piece(token, -size)


def digest(path: str) -> str:
    """ "sha256:…" of the file, or of all parts in order for a file split into several."""
    total = hashlib.sha256()
    for part in parts(Path(path)):
        with part.open("rb") as file:
            while block := file.read(2**20):
                total.update(block)
    return f"sha256:{total.hexdigest()}"


def parts(path: Path) -> list[Path]:
    """The files of a model: itself, or NAME-00001-of-00003.gguf and its followers."""
    split = _SPLIT.match(path.name)
    if not split:
        return [path]
    count = int(split["count"])
    return [
        path.with_name(f"{split['stem']}-{n:05d}-of-{count:05d}.gguf") for n in range(1, count + 1)
    ]


def _split(lib: Any, params: Any, options: EngineOptions) -> None:
    """Which GPUs get which share of the layers."""
    if options.split_mode is not None:
        params.split_mode = {
            "none": lib.LLAMA_SPLIT_MODE_NONE,
            "layer": lib.LLAMA_SPLIT_MODE_LAYER,
        }[options.split_mode]
        params.main_gpu = options.main_gpu
    if options.tensor_split:
        most = int(lib.llama_max_devices())
        if len(options.tensor_split) > most:
            raise LoadError(
                f"a tensor_split of {len(options.tensor_split)} shares",
                f"llama.cpp drives {most} devices at most",
                "give one share for each GPU, or none",
            )
        shares = (ctypes.c_float * most)(*options.tensor_split)
        params.tensor_split = shares  # ctypes keeps the array with the struct


def _check_file(path: str) -> None:
    for part in parts(Path(path)):
        try:
            with part.open("rb") as file:
                begin = file.read(len(MAGIC))
        except OSError as error:
            raise LoadError(
                f"cannot read the model file {part}",
                error.strerror or str(error),
                "check the path; `abacus` names the built-in model",
            ) from error
        if begin != MAGIC:
            raise LoadError(
                f"{part} is not a GGUF file",
                f"it begins with {begin!r} instead of {MAGIC!r}",
                "give a file in llama.cpp's format, usually called *.gguf",
            )


def _not_loaded(path: str) -> LoadError:
    said = last_lines()
    torn = any(words in " ".join(log) for words in ("failed to read", "not within the file bounds"))
    if torn:
        return LoadError(
            f"the model file {path} is incomplete or damaged",
            said,
            "copy or download it again, and compare its size with the original",
        )
    return LoadError(
        f"llama.cpp cannot load {path}",
        said or "it gave no reason",
        "a newer model needs a newer llama-cpp-python; a large one needs more free memory",
        no_room=any(words in " ".join(log).lower() for words in _NO_MEMORY),
    )


def name_of(model: Model, path: str) -> str:
    """A short name for people: the header's own, else the file's."""
    return model.metadata("general.name") or Path(path).stem


def logits_view(address: Any, count: int) -> Any:
    """A copy of `count` floats at a pointer, as an array of the library's numpy."""
    import numpy as np

    return np.ctypeslib.as_array(address, (count,)).copy()


def logits_table(address: Any, rows: int, count: int) -> Any:
    """The floats at a pointer as an array of (rows, count), not copied."""
    import numpy as np

    return np.ctypeslib.as_array(address, (rows, count))
