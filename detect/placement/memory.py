"""How much memory a model takes, as llama.cpp lays it out.

Weights come exactly from the tensor table and caches exactly from the shape (llama-kv-cache.cpp,
llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp). The compute buffer is an estimate that was
fitted to simulated loads of 72 shapes and errs upwards; docs/PLACEMENT.md has the sums.
"""

import msgspec

from detect.model import Layer, Model
from detect.placement.result import CacheType
from detect.quants import NUMBERS, row_bytes

CELLS_PAD = 256  # llama.cpp pads the context to a multiple
STATE_BYTES = 4  # recurrent states are f32 whatever the cache type
LOGIT_BYTES = 4
UBATCH_TOKENS = 512


def pad(cells: int) -> int:
    """The next multiple of 256."""
    return -(-cells // CELLS_PAD) * CELLS_PAD


class Load(msgspec.Struct, frozen=True):
    """The part of a worker that decides its memory, devices aside."""

    slots: int
    context_tokens: int  # of one sequence, prompt and answer together
    answer_tokens: int
    kv_type: CacheType = "f16"
    ubatch: int = UBATCH_TOKENS
    outputs: int | None = None  # rows of logits held at once; None: one for each slot

    @property
    def cells(self) -> int:
        """Cells of the unified cache: one shared prompt, and an answer for each slot.

        The prompt is what the context leaves beside one answer; a further slot adds its answer.
        """
        answer = min(self.answer_tokens, self.context_tokens)
        return pad(self.context_tokens + (self.slots - 1) * answer)

    @property
    def batch(self) -> int:
        """Tokens computed at once."""
        return min(self.ubatch, self.cells)


def window_cells(model: Model, load: Load) -> int:
    """Cells of a sliding-window layer in a unified cache."""
    return pad(min(load.cells, model.window * load.slots + load.ubatch))


def cache_bytes(model: Model, layer: Layer, load: Load) -> int:
    """Keys and values of one layer."""
    cells = window_cells(model, load) if layer.windowed else load.cells
    number = NUMBERS[load.kv_type]
    return cells * (row_bytes(number, layer.key_values) + row_bytes(number, layer.value_values))


def state_bytes(model: Model, layer: Layer, slots: int) -> int:
    """The states of one recurrent layer, one for each sequence."""
    return model.state_values * STATE_BYTES * slots if layer.recurrent else 0


def mask_bytes(model: Model, load: Load) -> int:
    """The attention masks of one batch, in f16: one for full layers, one for windowed ones."""
    full = any(layer.key_values and not layer.windowed for layer in model.layers)
    windowed = any(layer.key_values and layer.windowed for layer in model.layers)
    width = load.cells * full + window_cells(model, load) * windowed
    return width * load.batch * 2


def compute_bytes(model: Model, load: Load, *, flash: bool = True) -> int:
    """The buffer that one batch is computed in.

    Live at once: three rows of the feed-forward, three of the embedding and a query for each token;
    in state-space layers about seven of the inner width and each sequence's state. The logits come
    at the end, when most of that is free again.
    """
    batch = load.batch
    rows = 3 * model.feed_forward + 3 * model.embedding + model.query_values
    states = 0
    if model.has_recurrent and model.ssm_inner:
        inner = 7 * model.ssm_inner
        attends = any(layer.key_values for layer in model.layers)
        rows = max(rows, inner) + 3 * model.embedding if attends else inner
        states = model.state_values * STATE_BYTES * load.slots
    body = rows * batch * 4 + states + mask_bytes(model, load)
    if not flash:  # the scores of every head are written out
        body += load.cells * batch * model.heads * 4
    outputs = min(load.slots if load.outputs is None else load.outputs, batch)
    tail = outputs * model.vocab * LOGIT_BYTES + 4 * model.embedding * batch * 4
    return max(body, tail)


def output_bytes(model: Model, slots: int) -> int:
    """Where logits are handed out, in main memory."""
    return model.vocab * slots * LOGIT_BYTES
