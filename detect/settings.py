"""What the user has set: config.toml, then SWARM_… variables, then flags; the later one wins.

Every key has the same name in all three: `max_tokens` in the file is SWARM_MAX_TOKENS and
--max-tokens. `load` reads, `merge` decides and is pure. Each value remembers where it came from.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from detect.home import Home

WORKERS_MAX = 64
"""Each is a process with its own model; beyond this a machine wants slots, not workers."""

SLOTS_MAX = 64
"""Slots of one worker: as many as one job can have seats."""

CONTEXT_MIN, CONTEXT_MAX = 64, 1 << 20
"""Tokens: below, no question fits; above, no model was trained."""

NAME_BYTES_MAX = 63
"""A node's name becomes one label in mDNS (RFC 1035, 2.3.4)."""

TEXT_CHARS_MAX = 4096
"""A path or model reference in the configuration; PATH_MAX of Linux."""

CONFIG_BYTES_MAX = 64 << 10
"""config.toml: a hundred times all keys there are."""

ENGINES = ("auto", "llamacpp", "scripted")
STOPS = ("fast", "saving", "all")
ANSWERS = ("auto", "number", "choice", "json", "code", "text")

FLAG = "the flag --"
"""How the source of a value begins that came from the command line."""

Value = str | int | float | bool | None


class SettingsError(Exception):
    """A setting cannot be used: what was seen and where, why, and what is allowed.

    `by_flag`: it was given on the command line, so the usage is wrong, not the configuration.
    """

    def __init__(self, seen: str, because: str, hint: str, by_flag: bool = False) -> None:
        super().__init__(seen)
        self.seen, self.because, self.hint, self.by_flag = seen, because, hint, by_flag


class Settings(msgspec.Struct, frozen=True):
    """Every setting, with its default. `sources` names where each value came from, by key."""

    name: str = "node"
    workers: int = 1
    slots: int = 8
    model: str = "abacus"
    engine: str = "auto"
    context: int | None = None  # tokens; None: the model's own
    gpu_layers: int | str = "auto"  # "auto", "all" or a number
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


class Key(msgspec.Struct, frozen=True):
    """One setting: `parse` makes a value of a text, `take` checks a value; ValueError if wrong."""

    field: str  # in Settings
    allowed: str
    parse: Callable[[str], Value]
    take: Callable[[Value], Value]


class Given(msgspec.Struct, frozen=True):
    """A value that somebody set. `text`: it is yet to be parsed, as variables and flags are."""

    value: Any
    source: str
    text: bool = False


def duration_s(text: str) -> float:
    """Seconds of `90`, `90s`, `2m`, `1h` or `500ms`. Raises ValueError."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    number = text.strip().rstrip("msh")
    unit = text.strip()[len(number) :] or "s"
    if unit not in units:
        raise ValueError(text)
    return float(number) * units[unit]


def _whole(low: int, high: int) -> Callable[[Value], Value]:
    def take(value: Value) -> Value:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(value)
        return value

    return take


def _number(low: float, high: float) -> Callable[[Value], Value]:
    def take(value: Value) -> Value:
        # NaN is within no bounds.
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise ValueError(value)

    return take


def _one_of(words: tuple[str, ...]) -> Callable[[Value], Value]:
    def take(value: Value) -> Value:
        if value not in words:
            raise ValueError(value)
        return value

    return take


def _text(bytes_max: int) -> Callable[[Value], Value]:
    def take(value: Value) -> Value:
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise ValueError(value)
        if len(value.encode()) > bytes_max:
            raise ValueError(value)
        return value.strip()

    return take


def _or_word(words: tuple[str, ...], take: Callable[[Value], Value]) -> Callable[[Value], Value]:
    return lambda value: value if value in words else take(value)


def _word_or_int(text: str) -> Value:
    return text if text.isalpha() else int(text)


def _context(value: Value) -> Value:
    return None if value == "auto" else _whole(CONTEXT_MIN, CONTEXT_MAX)(value)


def _timeout(value: Value) -> Value:
    return _number(0.001, 86_400)(duration_s(value) if isinstance(value, str) else value)


def _truth(value: Value) -> Value:
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 - one error for every wrong value
    return value


def _truth_of(text: str) -> Value:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _options(field: str, words: tuple[str, ...]) -> Key:
    return Key(field, ", ".join(words), str, _one_of(words))


KEYS: dict[str, Key] = {
    "name": Key("name", f"text of up to {NAME_BYTES_MAX} bytes", str, _text(NAME_BYTES_MAX)),
    "workers": Key("workers", f"0 to {WORKERS_MAX}", int, _whole(0, WORKERS_MAX)),
    "slots": Key("slots", f"1 to {SLOTS_MAX}", int, _whole(1, SLOTS_MAX)),
    "model": Key("model", "a model's name or file", str, _text(TEXT_CHARS_MAX)),
    "engine": _options("engine", ENGINES),
    "context": Key(
        "context", f"auto, or {CONTEXT_MIN} to {CONTEXT_MAX} tokens", _word_or_int, _context
    ),
    "gpu_layers": Key(
        "gpu_layers",
        "auto, all, or 0 to 1024",
        _word_or_int,
        _or_word(("auto", "all"), _whole(0, 1024)),
    ),
    "votes": Key("votes", "1 to 64", int, _whole(1, 64)),
    "answer": _options("answer", ANSWERS),
    "temperature": Key("temperature", "0 to 5", float, _number(0, 5)),
    "max_tokens": Key("max_tokens", "1 to 131072", int, _whole(1, 131_072)),
    "timeout": Key(
        "timeout_s", "a duration up to 24h, such as 60s, 2m or 1h", duration_s, _timeout
    ),
    "stop": _options("stop", STOPS),
    "min_agreement": Key("min_agreement", "0 to 1", float, _number(0, 1)),
    "local": Key("local", "true or false", _truth_of, _truth),
}
"""What may be set, by its name in config.toml. tests/ hold the bounds equal to protocol.limits,
which this package, being below it, cannot import."""

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
    value = getattr(Settings(), key.field)
    return "auto" if value is None else str(value)


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
    merged = merge(from_host, _read(home), from_variables, from_flags(flags))
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
