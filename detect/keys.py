"""Each setting's name, what it may be, and how a text becomes it. Pure.

The bounds and words of questions repeat those of protocol.limits and broker.voting, which this
package, being below them, cannot import; a test holds them equal.
"""

from collections.abc import Callable

import msgspec

WORKERS_MAX = 64
"""Each is a process with its own model; beyond this a machine wants slots, not workers."""

SLOTS_MAX = 64
"""Slots of one worker: as many as one job can have seats."""

CONTEXT_MIN, CONTEXT_MAX = 64, 1 << 20
"""Tokens: below, no question fits; above, no model was trained."""

NAME_BYTES_MAX = 63
"""A node's name becomes one label in mDNS (RFC 1035, 2.3.4)."""

SHARE_MAX = 1e6  # of a tensor_split; only their ratios count
TEXT_CHARS_MAX = 4096
"""A path or model reference in the configuration; PATH_MAX of Linux."""

ENGINES = ("auto", "llamacpp", "mlx", "scripted")
DURABILITIES = ("none", "process", "power")
STOPS = ("fast", "saving", "all")
ANSWERS = (
    "auto", "number", "choice", "json", "code", "text", "label", "latex", "literal", "tool",
)  # fmt: skip

Value = str | int | float | bool | None


class Key(msgspec.Struct, frozen=True):
    """One setting: `parse` makes a value of a text, `take` checks a value; ValueError if wrong."""

    field: str  # in Settings
    allowed: str
    parse: Callable[[str], Value]
    take: Callable[[Value], Value]


def duration_s(text: str) -> float:
    """Seconds of `90`, `90s`, `2m`, `1h` or `500ms`. Raises ValueError."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    number = text.strip().rstrip("msh")
    unit = text.strip()[len(number) :] or "s"
    if unit not in units:
        raise ValueError(text)
    return float(number) * units[unit]


def shown(key: Key, value: Value) -> str:
    """A value as it can be written in config.toml (without quotes) or after the flag."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return str(value).lower()
    if key.field.endswith("_s") and isinstance(value, float):
        hours, rest = divmod(value, 3600)
        return f"{hours:g}h" if hours and not rest else f"{value:g}s"
    return str(value)


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


def _shares(value: Value) -> Value:
    """Shares of the layers: numbers from 0, not all 0."""
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - one error for every wrong value
    shares = [float(part) for part in value.split(",")]
    if not all(0 <= share < SHARE_MAX for share in shares) or not sum(shares):
        raise ValueError(value)
    return value.strip()


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


def _keep_for(value: Value) -> Value:
    return _number(60, 31_536_000)(duration_s(value) if isinstance(value, str) else value)


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
    "name": Key(
        "name", f"printable text of up to {NAME_BYTES_MAX} bytes", str, _text(NAME_BYTES_MAX)
    ),
    "workers": Key("workers", f"0 to {WORKERS_MAX}", int, _whole(0, WORKERS_MAX)),
    "durability": _options("durability", DURABILITIES),
    "keep": Key("keep", "100 to 1000000 results", int, _whole(100, 1_000_000)),
    "keep_mib": Key("keep_mib", "1 to 65536 MiB", int, _whole(1, 65_536)),
    "keep_for": Key(
        "keep_for_s", "a duration from 1m to 8760h, such as 168h", duration_s, _keep_for
    ),
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
    "tensor_split": Key(
        "tensor_split",
        "auto, or a share for each GPU, such as 3,1",
        str,
        _or_word(("auto",), _shares),
    ),
    "integrated": Key("integrated", "true or false", _truth_of, _truth),
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
"""What may be set, by its name in config.toml."""
