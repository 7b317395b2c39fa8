"""Settings for one engine or one model: the tables of config.toml beside its plain keys. Pure.

gpu_layers = "auto"

[engines.llamacpp]
gpu_layers = "all"

[models."qwen3-4b-q4_k_m"]
gpu_layers = 20
context = 8192
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from detect.keys import ENGINES

TABLED = ("workers", "slots", "context", "gpu_layers", "tensor_split")
"""What can differ from model to model: how it is run. Everything else is the node's."""

FLAG = "the flag --"
"""How the source of a value begins that came from the command line."""


class SettingsError(Exception):
    """A setting cannot be used: what was seen and where, why, and what is allowed.

    `by_flag`: it was given on the command line, so the usage is wrong, not the configuration.
    """

    def __init__(self, seen: str, because: str, hint: str, by_flag: bool = False) -> None:
        super().__init__(seen)
        self.seen, self.because, self.hint, self.by_flag = seen, because, hint, by_flag


class Given(msgspec.Struct, frozen=True):
    """A value that somebody set. `text`: it is yet to be parsed, as variables and flags are."""

    value: Any
    source: str
    text: bool = False


Tables = dict[tuple[str, str], dict[str, Given]]
"""By ("engines" or "models", the name)."""


def split(given: Mapping[str, Given]) -> tuple[dict[str, Given], Tables]:
    """Plain keys, and the tables. Raises SettingsError for a table that is none of ours."""
    plain = {name: one for name, one in given.items() if name not in {"engines", "models"}}
    found: Tables = {}
    for kind in ("engines", "models"):
        if kind not in given:
            continue
        source = given[kind].source
        for name, table in _inner(kind, given[kind].value, source).items():
            if kind == "engines" and name not in ENGINES[1:]:
                allowed = f"the engines are {', '.join(ENGINES[1:])}"
                raise SettingsError(f"[engines.{name}] in {source}", allowed, "use one of these")
            found[kind, name] = _keys(f"[{kind}.{name}]", table, source)
    return plain, found


def _inner(kind: str, value: object, source: str) -> dict[str, object]:
    if not isinstance(value, dict):
        seen = f"{kind} is {str(value)[:80]!r} in {source}"
        raise SettingsError(seen, f"{kind} holds tables", f"write [{kind}.NAME] and keys below it")
    return value


def _keys(table: str, value: object, source: str) -> dict[str, Given]:
    if not isinstance(value, dict):
        raise SettingsError(f"{table} in {source}", "it is no table", f"write {table} on a line")
    for name in value:
        if name not in TABLED:
            seen = f"{name[:80]!r} cannot be set for {table}, in {source}"
            raise SettingsError(seen, f"there can be {', '.join(TABLED)}", f"take {name} out of it")
    return {name: Given(one, f"{source}, {table}") for name, one in value.items()}


def applying(found: Tables, engine: str, model: str) -> tuple[dict[str, Given], ...]:
    """The tables for this engine and model, the model's last: it is the more special one.

    A model is named as it is loaded, by its file's name, or by that without its ending.
    """
    file = model.replace("\\", "/").rpartition("/")[2]
    names = (file.rpartition(".")[0] or file, file, model)
    wanted = [("engines", engine), *(("models", name) for name in dict.fromkeys(names))]
    return tuple(found[key] for key in wanted if key in found)
