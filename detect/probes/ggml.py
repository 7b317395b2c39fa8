"""Ask the inference library which devices its build can drive, through ctypes alone.

llama_cpp is not imported: its package initialiser loads numpy and registers callbacks, and costs a
second. Its shared libraries are opened by path. Structures follow ggml's public header.
"""

import ctypes
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

from detect.ggml import Ggml, GgmlDevice

DEVICES_MAX = 64  # of one build; the library itself allows 16 of one kind


class Caps(ctypes.Structure):
    """ggml_backend_dev_caps."""

    _fields_ = (("flags", ctypes.c_bool * 5),)


class Props(ctypes.Structure):
    """ggml_backend_dev_props."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("caps", Caps),
    )


def library_folder() -> Path | None:
    """Where the installed llama_cpp keeps its shared libraries."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "lib"


def open_library(folder: Path, name: str) -> ctypes.CDLL:
    """Open libNAME of the folder. Raises OSError saying which file could not be opened."""
    endings = {"darwin": (".dylib", ".so"), "win32": (".dll",)}.get(sys.platform, (".so",))
    prefix = "" if sys.platform == "win32" else "lib"
    for ending in endings:
        path = folder / f"{prefix}{name}{ending}"
        if path.exists():
            return ctypes.CDLL(str(path))
    raise OSError(f"no {prefix}{name}{endings[0]} in the package llama_cpp")


def probe() -> Ggml:
    """List the devices of the installed build; an empty version means not installed."""
    folder = library_folder()
    if folder is None:
        return Ggml()
    version = importlib.metadata.version("llama-cpp-python")
    base = open_library(folder, "ggml-base")
    ggml = open_library(folder, "ggml")
    llama = open_library(folder, "llama")
    if hasattr(ggml, "ggml_backend_load_all_from_path"):
        ggml.ggml_backend_load_all_from_path(str(folder).encode())
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = (ctypes.c_size_t,)
    count = min(ggml.ggml_backend_dev_count(), DEVICES_MAX)
    devices = tuple(_device(base, ggml.ggml_backend_dev_get(at)) for at in range(count))
    llama.llama_supports_gpu_offload.restype = ctypes.c_bool
    return Ggml(version, bool(llama.llama_supports_gpu_offload()), devices)


def _device(base: ctypes.CDLL, handle: int) -> GgmlDevice:
    props = Props()
    base.ggml_backend_dev_get_props.argtypes = (ctypes.c_void_p, ctypes.POINTER(Props))
    base.ggml_backend_dev_get_props(handle, ctypes.byref(props))
    base.ggml_backend_dev_backend_reg.restype = ctypes.c_void_p
    base.ggml_backend_dev_backend_reg.argtypes = (ctypes.c_void_p,)
    base.ggml_backend_reg_name.restype = ctypes.c_char_p
    base.ggml_backend_reg_name.argtypes = (ctypes.c_void_p,)
    library = base.ggml_backend_reg_name(base.ggml_backend_dev_backend_reg(handle))
    return GgmlDevice(
        name=_text(props.name),
        description=_text(props.description),
        type=props.type,
        free=props.memory_free,
        total=props.memory_total,
        id=_text(props.device_id),
        library=_text(library),
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
