"""The buffer that llama.cpp computes one batch in (src/llama-graph.cpp, ggml/src/ggml-alloc.c).

A tensor's place is free again after its last use. So the buffer holds the inputs of the batch,
which stay throughout, and the widest step of a block. Steps are counted here in values of 4 bytes
for each token, and err upwards where the allocator may leave a gap; docs/PLACEMENT.md has the sums.
"""

from detect.model import Model
from detect.placement.memory import LOGIT_BYTES, Load, window_cells

VALUE_BYTES = 4
INDEX_BYTES = 8
HALF_BYTES = 2
MASK_BYTES, PLAIN_MASK_BYTES = 2, 4  # of one cell, with flash attention and without


def laid_tokens(load: Load) -> int:
    """Tokens of the batch as it is laid out: a multiple of the streams."""
    return -(-load.batch_tokens // load.streams) * load.streams


def _cache_kinds(model: Model) -> set[bool]:
    """llama.cpp keeps windowed layers (True) and full ones in a cache for each kind."""
    return {layer.windowed for layer in model.layers if layer.key_values}


def input_bytes(model: Model, load: Load) -> int:
    """What stays throughout: a row of the embedding, attention masks, and cache positions.

    Without flash attention values are stored transposed, each at a position of its own.
    """
    kinds = _cache_kinds(model)
    width = load.stream_cells * (False in kinds) + window_cells(model, load) * (True in kinds)
    of_token = model.embedding * VALUE_BYTES
    if load.flash:
        of_token += width * MASK_BYTES
    else:
        values = max((layer.value_values for layer in model.layers), default=0)
        of_token += width * PLAIN_MASK_BYTES + len(kinds) * values * INDEX_BYTES
    return of_token * laid_tokens(load)


def compute_bytes(model: Model, load: Load) -> int:
    """The whole buffer: inputs and the widest step. Or the logits, of one row a stream, beside the
    embedding's row: they come when all else is free again."""
    tokens = laid_tokens(load)
    forward = _feed_forward(model) * tokens * VALUE_BYTES
    attention = _attention(model, load) * tokens * VALUE_BYTES + _copied_bytes(model, load)
    body = input_bytes(model, load) + max(forward, attention, _states_bytes(model, load, tokens))
    logits = load.streams * model.vocab * LOGIT_BYTES
    return max(body, logits + 2 * model.embedding * tokens * VALUE_BYTES)


def _feed_forward(model: Model) -> int:
    """Up, gate and their product; or every chosen expert's output and their sum.

    Beside them the residual, the norm, a gap where the queries were, and attention's output where
    it was not added yet.
    """
    wide, width = model.feed_forward, model.embedding
    if not wide:
        return 0
    outputs = model.experts_used * width + max(wide, width) if model.experts_used else 0
    beside = (3 if model.parallel else 2) * width + max(model.query_values, width)
    return max(3 * wide, outputs) + beside


def _attention(model: Model, load: Load) -> int:
    """Queries before and after rotation, with keys and values; or, without flash attention, with
    the scores of every head. Beside them the residual and the norm."""
    if not _cache_kinds(model):
        return 0
    kept = max(layer.key_values + layer.value_values for layer in model.layers)
    scores = kept if load.flash else load.stream_cells * model.heads
    return 2 * model.embedding + 2 * max(model.query_values, model.embedding) + scores


def _copied_bytes(model: Model, load: Load) -> int:
    """Quantised keys and values of one layer, all streams, as CUDA's flash attention reads them:
    behind its result, in f16 (ggml_cuda_flash_attn_ext_get_alloc_size)."""
    if not load.half_copies or load.kv_type == "f16":
        return 0
    cells = {False: load.stream_cells, True: window_cells(model, load)}
    of_stream = (
        cells[layer.windowed] * (layer.key_values + layer.value_values) for layer in model.layers
    )
    return max(of_stream, default=0) * load.streams * HALF_BYTES


def _states_bytes(model: Model, load: Load, tokens: int) -> int:
    """A state-space layer: about six of its inner width, the residual, and each stream's state.

    Among layers that attend, three more rows of the embedding lie between. A layer of the delta
    rule needs one of them, and copies the states before it writes new ones.
    """
    if not model.has_recurrent or not model.ssm_inner:
        return 0
    copies = 2 if model.states_copied else 1
    width = model.embedding * (4 // copies if _cache_kinds(model) else 1)
    states = model.state_values * load.streams * copies
    return ((6 * model.ssm_inner + width) * tokens + states) * VALUE_BYTES
