"""What the user has set: config.toml, then SWARM_… variables, then flags; the later one wins.

Every key has the same name in all three: `max_tokens` in the file is SWARM_MAX_TOKENS and
--max-tokens. How a model is run can also be set for one engine or one model, in tables of the file,
[engines.llamacpp] or [models.abacus], which win over the rest of the file (detect.tables).
`load` reads, `merge` decides and is pure. Each value remembers where it came from.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from detect import tables
from detect.forms import engine_of
from detect.home import Home
from detect.keys import KEYS, NAME_BYTES_MAX, Key, Value, shown
from detect.tables import FLAG, Given, SettingsError

CONFIG_BYTES_MAX = 64 << 10
"""config.toml: a hundred times all keys there are."""


class Settings(msgspec.Struct, frozen=True):
    """Every setting, with its default. `sources` names where each value came from, by key."""

    name: str = "node"
    workers: int = 1
    durability: str = "process"  # what a job survives: none, process (a kill), power (a cut)
    keep: int = 10_000  # results
    keep_mib: int = 256  # of their texts
    keep_for_s: float = 604_800.0
    slots: int = 8
    model: str = "abacus"
    engine: str = "auto"
    context: int | None = None  # tokens; None: the model's own
    gpu_layers: int | str = "auto"  # "auto", "all" or a number
    tensor_split: str = "auto"  # or each GPU's share of the layers: "3,1"
    integrated: bool = False  # use integrated GPUs that are left alone by default
    votes: int = 8
    answer: str = "auto"
    temperature: float = 0.8
    max_tokens: int = 512
    timeout_s: float = 60.0
    stop: str = "fast"
    min_agreement: float = 0.0
    local: bool = False
    sources: dict[str, str] = {}
    notes: tuple[str, ...] = ()


_NOT_SETTINGS = {"SWARM_HOME"}


def merge(*layers: Mapping[str, Given]) -> Settings:
    """The settings when each layer overrides those before it.

    Raises SettingsError for a key that does not exist or a value that is not allowed, in any
    layer, an overridden one too: a mistake in the file is found today, not when a flag is left out.
    """
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for layer in layers:
        for name, given in layer.items():
            if name not in KEYS:
                raise _unknown(name, given)
            values[KEYS[name].field] = _taken(name, given)
            sources[name] = given.source
    chosen = {name: sources.get(name, "default") for name in KEYS}
    return msgspec.structs.replace(Settings(), **values, sources=chosen)


def _taken(name: str, given: Given) -> Value:
    key = KEYS[name]
    try:
        return key.take(key.parse(given.value.strip()) if given.text else given.value)
    except (ValueError, OverflowError, TypeError):
        shown, allowed = repr(str(given.value)[:80]), f"{name} takes {key.allowed}"
        otherwise = f"the default is {_default(key)}"
        if given.source.startswith(FLAG):
            flag = given.source.removeprefix("the flag ")
            hint = f"give one of these, or leave it out: {otherwise}"
            raise SettingsError(f"{flag} {shown}", allowed, hint, by_flag=True) from None
        hint = f"set it to one of these, or remove it: {otherwise}"
        raise SettingsError(f"{name} is {shown} in {given.source}", allowed, hint) from None


def _default(key: Key) -> str:
    if key.field == "name":
        return "this machine's host name"
    return shown(key, getattr(Settings(), key.field))


def _unknown(name: str, given: Given) -> SettingsError:
    return SettingsError(
        f"there is no setting {name[:80]!r}, in {given.source}",
        f"the settings are {', '.join(KEYS)}",
        f"did you mean {_nearest(name)}?" if _nearest(name) else "remove it",
    )


def _nearest(name: str) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(name.lower().replace("-", "_"), KEYS, 1)), "")


def from_env(env: Mapping[str, str]) -> tuple[dict[str, Given], tuple[str, ...]]:
    """What SWARM_… variables set, and notes on those that set nothing.

    Unknown ones are notes, not errors: other software has variables of this beginning too.
    """
    given: dict[str, Given] = {}
    notes: list[str] = []
    for variable in sorted(v for v in env if v.startswith("SWARM_") and v not in _NOT_SETTINGS):
        name = variable.removeprefix("SWARM_").lower()
        if name not in KEYS:
            notes.append(f"the variable {variable} sets nothing here")
        elif env[variable].strip():
            given[name] = Given(env[variable], f"the variable {variable}", text=True)
    return given, tuple(notes)


def from_toml(text: str, file: str) -> dict[str, Given]:
    """What a config.toml sets. Raises SettingsError when it is no TOML."""
    import tomllib

    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{file} is no TOML", str(error), "correct that line") from None
    return {name: Given(v, f"{file}, line {_line(text, name)}") for name, v in table.items()}


def _line(text: str, name: str) -> int:
    """The line on which a top-level key stands; tomllib does not say."""
    import re

    found = re.search(
        rf"""^[ \t]*\[*[ \t]*["']?{re.escape(name)}["']?[ \t]*[=.\]]""", text, re.MULTILINE
    )
    return text.count("\n", 0, found.start()) + 1 if found else 1


def from_flags(flags: Mapping[str, Any]) -> dict[str, Given]:
    """What the command line sets; a flag that is None was not given. Texts are parsed."""
    return {
        name: Given(value, f"{FLAG}{name.replace('_', '-')}", text=isinstance(value, str))
        for name, value in flags.items()
        if value is not None
    }


def load(home: Home, env: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings of this node: `flags` over `env` over config.toml over the defaults.

    `flags` is keyed as KEYS is; None means not given. Raises SettingsError.
    """
    import platform

    host = "".join(c for c in platform.node() if c.isprintable())[:NAME_BYTES_MAX] or "node"
    from_host = {"name": Given(host, "default (this machine's host name)")}
    from_variables, notes = from_env(env)
    plain, special = tables.split(_read(home))
    for table in special.values():
        merge(table)  # a mistake in the file is found today, not when that model is loaded
    later: tuple[dict[str, Given], ...] = (from_variables, from_flags(flags))
    chosen = merge(from_host, plain, *later)
    if special:
        engine = engine_of(chosen.model) if chosen.engine == "auto" else chosen.engine
        later = (*tables.applying(special, engine, chosen.model), *later)
    merged = merge(from_host, plain, *later)
    return msgspec.structs.replace(merged, notes=notes)


def _read(home: Home) -> dict[str, Given]:
    file = home.config / "config.toml"
    try:
        with file.open("rb") as opened:
            raw = opened.read(CONFIG_BYTES_MAX + 1)
        if len(raw) > CONFIG_BYTES_MAX:
            raise SettingsError(
                f"{file} is over {CONFIG_BYTES_MAX} bytes", "that is no config.toml", "shorten it"
            )
        return from_toml(raw.decode(), str(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(
            f"cannot read {file}", str(error.strerror), "make it readable, or remove it"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(
            f"{file} is no text", "it is not UTF-8", "save it as UTF-8, or remove it"
        ) from None
