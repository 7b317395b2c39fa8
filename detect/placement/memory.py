"""How much memory a model takes, as llama.cpp lays it out.

Weights come exactly from the tensor table and caches exactly from the shape (llama-kv-cache.cpp,
llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp). The buffer of one batch is in compute.py;
docs/PLACEMENT.md has the sums.
"""

import msgspec

from detect.model import Layer, Model
from detect.placement.result import CacheType
from detect.quants import NUMBERS, row_bytes

CELLS_PAD = 256  # llama.cpp pads the context to a multiple
STATE_BYTES = 4  # recurrent states are f32 whatever the cache type
LOGIT_BYTES = 4


def pad(cells: int) -> int:
    """The next multiple of 256."""
    return -(-cells // CELLS_PAD) * CELLS_PAD


class Load(msgspec.Struct, frozen=True):
    """The part of a worker that decides its memory, devices aside."""

    slots: int
    context_tokens: int  # of one sequence, prompt and answer together
    streams: int  # sequences the cache holds: the slots, and what the engine keeps for itself
    batch_tokens: int  # computed at once
    flash: bool = True
    kv_type: CacheType = "f16"
    half_copies: bool = False  # quantised keys and values are read through copies in f16
    prefix_bytes_max: int = 256 << 20  # of main memory, for prompts kept for reuse

    @property
    def stream_cells(self) -> int:
        """Cells of one stream."""
        return pad(self.context_tokens)

    @property
    def cells(self) -> int:
        """Cells of all streams: the cap on tokens times sequences."""
        return self.stream_cells * self.streams


def window_cells(model: Model, load: Load) -> int:
    """Cells that a sliding-window layer keeps of one stream."""
    return pad(min(load.stream_cells, model.window + load.batch_tokens))


def cache_bytes(model: Model, layer: Layer, load: Load) -> int:
    """Keys and values of one layer, over all streams."""
    cells = window_cells(model, load) if layer.windowed else load.stream_cells
    number = NUMBERS[load.kv_type]
    row = row_bytes(number, layer.key_values) + row_bytes(number, layer.value_values)
    return cells * load.streams * row


def state_bytes(model: Model, layer: Layer, load: Load) -> int:
    """The states of one recurrent layer, one for each stream."""
    return model.state_values * STATE_BYTES * load.streams if layer.recurrent else 0


def output_bytes(model: Model, load: Load) -> int:
    """Where logits are handed out, in main memory."""
    return model.vocab * load.streams * LOGIT_BYTES
