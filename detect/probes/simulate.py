"""Load a model's metadata only, and let llama.cpp lay out what a real load would take."""

from typing import Any

import msgspec

from detect import experts
from detect.quants import NUMBERS
from detect.simulated import Answer, Answers, Load

LOG_CHARS_MAX = 1 << 16  # sizes come last in llama.cpp's log
LOG_LINES_MAX = 10_000  # it logs a line per key and a few per layer
DEBUG = 1  # GGML_LOG_LEVEL_DEBUG: a line per tensor, and none of the sizes
LOADS_MAX = 256  # of one request


def probe(request: str) -> Answers:
    """Simulate each load in turn. An answer holds the error when llama.cpp refuses the model."""
    loads = msgspec.json.decode(request, type=list[Load])
    import llama_cpp.llama_cpp as lib

    lines: list[str] = []

    def keep(level: int, text: bytes, _data: object) -> None:
        if level != DEBUG and len(lines) < LOG_LINES_MAX:
            lines.append(text.decode("utf-8", "replace"))

    callback = lib.llama_log_callback(keep)
    lib.llama_log_set(callback, None)
    lib.llama_backend_init()
    answers = []
    for load in loads[:LOADS_MAX]:
        lines.clear()
        answers.append(_one(lib, load, lines))
    return Answers(tuple(answers))


def _one(lib: Any, load: Load, lines: list[str]) -> Answer:
    weight_bytes, error = _load(lib, load)
    log = "".join(lines)[-LOG_CHARS_MAX:]
    if not error:
        return Answer(weight_bytes, log)
    said = [
        row.strip() for row in log.splitlines() if "error" in row.lower() or "fail" in row.lower()
    ]
    return Answer(error=f"{error}: {said[0] if said else 'no reason given'}")


def _load(lib: Any, load: Load) -> tuple[int, str]:
    params = _model_params(lib, load)
    kept = experts.keep(params) if load.experts_in_main_memory else None
    model = lib.llama_model_load_from_file(load.path.encode(), params)
    del kept
    if not model:
        return 0, "llama.cpp refuses the model"
    context = lib.llama_init_from_model(model, _context_params(lib, load))
    weight_bytes = int(lib.llama_model_size(model))
    if not context:
        lib.llama_model_free(model)
        return 0, "llama.cpp refuses the context"
    lib.llama_free(context)
    lib.llama_model_free(model)
    return weight_bytes, ""


def _model_params(lib: Any, load: Load) -> Any:
    params = lib.llama_model_default_params()
    params.no_alloc = True
    params.load_mode = lib.LLAMA_LOAD_MODE_NONE
    params.n_gpu_layers = load.gpu_layers
    params.split_mode = load.split_mode
    params.main_gpu = load.main_gpu
    if load.tensor_split:
        shares = (lib.ctypes.c_float * lib.llama_max_devices())(*load.tensor_split)
        params.tensor_split = shares
    return params


def _context_params(lib: Any, load: Load) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = load.cells
    params.n_batch = params.n_ubatch = load.ubatch
    params.n_seq_max = load.sequences
    params.n_outputs_max = load.outputs
    params.kv_unified = load.unified
    params.type_k = params.type_v = NUMBERS[load.kv_type]
    params.flash_attn_type = (
        lib.LLAMA_FLASH_ATTN_TYPE_AUTO if load.flash else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    params.swa_full = False
    return params
