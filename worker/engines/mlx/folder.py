"""A model's folder before anything is loaded: what must be there, and whether it is whole.

MLX reads weights when they are first used, in a thread of its own; a file that was cut short is
better found here, by its header.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from worker.engines.options import LoadError

HEADER_BYTES_MAX = 100 * 2**20  # of one weight file: safetensors' own bound
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
_AGAIN = "copy or download it again, and compare its size with the original"


def check(folder: Path) -> dict[str, Any]:
    """The folder's configuration, when all is there; raises LoadError, naming what is not."""
    if not folder.is_dir():
        seen = "is a file" if folder.exists() else "is not here"
        raise LoadError(
            f"{folder} {seen}",
            "the engine mlx loads a folder with config.json, *.safetensors and a tokenizer",
            "give the folder's path; a .gguf file needs --engine llamacpp",
        )
    config = _config(folder / "config.json")
    for file in weight_files(folder):
        _check_weights(file)
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise LoadError(
            f"{folder} has no tokenizer", f"none of {', '.join(TOKENIZERS)} is there", _AGAIN
        )
    return config


def weight_files(folder: Path) -> list[Path]:
    """The files of weights, in order; raises LoadError when there is none, or one is missing."""
    found = sorted(folder.glob("model*.safetensors"))  # those that mlx-lm reads
    if not found:
        raise LoadError(
            f"{folder} has no weights",
            "there is no model*.safetensors beside config.json",
            "PyTorch's own files are turned into it by `mlx_lm.convert`",
        )
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            named = set(json.loads(index.read_bytes())["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise LoadError(f"{index} cannot be read", str(error), _AGAIN) from error
        missing = sorted(named - {file.name for file in found})
        if missing:
            raise LoadError(f"{folder} is incomplete", f"{missing[0]} is missing", _AGAIN)
    return found


def digest(folder: Path) -> str:
    """ "sha256:…" of all weights in the files' order: what makes two models the same."""
    total = hashlib.sha256()
    for file in weight_files(folder):
        with file.open("rb") as opened:
            while block := opened.read(2**20):
                total.update(block)
    return f"sha256:{total.hexdigest()}"


def _config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_bytes())
    except OSError as error:
        raise LoadError(
            f"cannot read {file}",
            error.strerror or str(error),
            "give a folder with config.json, *.safetensors and a tokenizer",
        ) from error
    except ValueError as error:
        raise LoadError(f"{file} is damaged", str(error), _AGAIN) from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise LoadError(
            f"{file} describes no model", "it names no model_type", "choose another folder"
        )
    return config


def _check_weights(file: Path) -> None:
    """Compare the file's size with what its header says. Format: eight bytes of length, JSON."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 0 < length <= min(HEADER_BYTES_MAX, size - 8):
                raise LoadError(
                    f"{file} is no weight file, or cut short",
                    f"its header would have {length} of its {size} bytes",
                    _AGAIN,
                )
            header = json.loads(opened.read(length))
        ends = [v["data_offsets"][1] for key, v in header.items() if key != "__metadata__"]
        wanted = 8 + length + max(ends, default=0)
    except OSError as error:
        raise LoadError(f"cannot read {file}", error.strerror or str(error), _AGAIN) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise LoadError(f"the header of {file} is damaged", str(error), _AGAIN) from error
    if size != wanted:
        raise LoadError(
            f"the weight file {file} is incomplete or damaged",
            f"its header tells of {wanted} bytes, and it has {size}",
            _AGAIN,
        )
