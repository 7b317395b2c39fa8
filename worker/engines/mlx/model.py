"""One loaded folder: weights, tokenizer, and clear words when they do not go together."""

from pathlib import Path
from typing import Any

from worker.engines.mlx.library import native, no_room
from worker.engines.options import LoadError

SAID_CHARS_MAX = 300  # of an error of mlx-lm's, which lists every missing weight
CONTEXT_KEYS = ("max_position_embeddings", "max_sequence_length", "n_positions", "seq_length")


class Model:
    """Weights and vocabulary of a folder that was checked, with its configuration.

    Raises LoadError when they do not go together.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        _, utils = native()
        self.network, self.config = _loaded(utils, folder, config)
        self.tokenizer = _tokenizer(utils, folder, self.config)
        self.parameters = int(utils.get_total_parameters(self.network))
        self._ends = frozenset(self.tokenizer.eos_token_ids)
        self._pieces: dict[int, bytes] = {}  # bounded by the vocabulary
        self._silent = frozenset(self.tokenizer.all_special_ids) | _control(self.tokenizer)
        self._added: dict[str, int] = self.tokenizer.get_added_vocab()
        self._byte_level = _is_byte_level(self.tokenizer)

    @property
    def layers(self) -> int:
        """How many blocks there are."""
        return len(self.network.layers)

    @property
    def quantised(self) -> bool:
        """Whether weights are packed in fewer bits than numbers have."""
        return isinstance(self.config.get("quantization"), dict)

    @property
    def context_tokens(self) -> int:
        """The longest sequence the model was trained on; 0 when its configuration says nothing."""
        inner = self.config.get("text_config")
        told = (self.config, inner) if isinstance(inner, dict) else (self.config,)
        found = (config.get(key) for config in told for key in CONTEXT_KEYS)
        return next((value for value in found if isinstance(value, int) and value > 0), 0)

    @property
    def positions(self) -> int:
        """How many positions it has learned one by one (GPT-2's table); 0: it computes any."""
        tables = (one for name, one in self.network.named_modules() if name.endswith("wpe"))
        return next((int(table.weight.shape[0]) for table in tables), 0)

    def tokenize(self, text: str, add_special: bool) -> tuple[int, ...]:
        """Tokens of a text in which special tokens are written out, such as <|im_start|>.

        `add_special` puts the model's own first (or last) token where its tokenizer asks for one.
        """
        whole = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
        return tuple(self.tokenizer.encode(whole, add_special_tokens=add_special))

    def piece(self, token: int) -> bytes:
        """The bytes of one token of an answer; none for control tokens."""
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._read_piece(token)
        return found

    def ends(self, token: int) -> bool:
        """Whether this token ends a generation."""
        return token in self._ends

    def close(self) -> None:
        """Let go of the weights."""
        self.network = self.tokenizer = None

    def _read_piece(self, token: int) -> bytes:
        written = self.tokenizer.convert_ids_to_tokens(token)
        if token in self._silent or not isinstance(written, str):  # a row beyond the vocabulary
            return b""
        if self._byte_level:
            if written in self._added:
                return written.encode()
            return b"".join(_BYTES.get(letter, letter.encode()) for letter in written)
        if len(written) == 6 and written.startswith("<0x") and written.endswith(">"):
            return bytes.fromhex(written[3:5])  # SentencePiece writes a byte in this way
        return written.replace("\u2581", " ").encode()  # ... and a space as U+2581


def _loaded(utils: Any, folder: Path, config: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    try:
        network, whole = utils.load_model(folder)
    except Exception as error:  # each family of models raises its own kinds
        said = str(error)[:SAID_CHARS_MAX] or type(error).__name__
        known = "not supported" not in said
        raise LoadError(
            f"mlx-lm cannot load {folder}",
            f"{said} (model_type {config['model_type']})",
            "its configuration and weights do not go together; copy or download it again"
            if known
            else "choose a model made for chat or text; a newer one needs a newer mlx-lm",
            no_room=no_room(error),
        ) from error
    return network, whole


def _tokenizer(utils: Any, folder: Path, config: dict[str, Any]) -> Any:
    try:
        # A folder may ask for code of its own to be run: it is not.
        return utils.load_tokenizer(
            folder, {"trust_remote_code": False}, eos_token_ids=config.get("eos_token_id")
        )
    except Exception as error:  # transformers raises many kinds
        raise LoadError(
            f"the tokenizer of {folder} cannot be read",
            str(error)[:SAID_CHARS_MAX] or type(error).__name__,
            "copy or download its tokenizer files again",
        ) from error


def _control(tokenizer: Any) -> frozenset[int]:
    """Added tokens that are marked special: they steer, and are no text."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset(token for token, told in added.items() if told.special)


def _is_byte_level(tokenizer: Any) -> bool:
    """Whether tokens are written in GPT-2's letters for bytes, by their decoder's own word."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None or fast.decoder is None:
        return False
    return b'"ByteLevel"' in fast.decoder.__getstate__()


def _letters() -> dict[str, bytes]:
    """GPT-2's letter for each byte: itself where it can be printed, else one from U+0100 on.

    Source: bytes_to_unicode in the encoder.py of openai/gpt-2.
    """
    printed = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printed]
    letters = {chr(byte): bytes([byte]) for byte in printed}
    return letters | {chr(256 + at): bytes([byte]) for at, byte in enumerate(others)}


_BYTES = _letters()
