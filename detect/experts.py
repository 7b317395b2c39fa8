"""A mixture's experts in main memory while the rest of each layer is on a GPU.

llama.cpp takes a list of tensor name patterns with the buffer that each shall lie in; the binding
leaves that field of llama_model_params untyped. Every expert is read for few tokens, so the weights
that are most of the file lose least by lying in slower memory.
"""

import ctypes
from typing import Any

PATTERN = rb"_exps\."
"""The tensors that detect.model counts as experts: blk.N.ffn_(gate|up|down)_exps.weight."""


class _Override(ctypes.Structure):
    """llama_model_tensor_buft_override of llama.h."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def keep(params: Any) -> object:
    """Set llama_model_params so. What comes back must live until the model is loaded."""
    ggml = _ggml()
    ggml.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
    main_memory = ggml.ggml_backend_cpu_buffer_type()
    rules = (_Override * 2)(_Override(PATTERN, main_memory), _Override(None, None))
    params.tensor_buft_overrides = ctypes.cast(rules, ctypes.c_void_p)
    return rules


def _ggml() -> Any:
    from llama_cpp import _ggml as binding

    return binding.libggml
