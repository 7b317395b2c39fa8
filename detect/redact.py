"""What leaves this machine in a record: nothing that names a person, a machine or one single part.

Device ids become numbers, alike wherever they stand, so that a record still replays: a card that
CUDA_VISIBLE_DEVICES names by the start of its UUID is still that card.
"""

import re
from collections.abc import Iterable

_PLAIN = (
    # Within JSON a tab is written \\t.
    (re.compile(r"\b(Serial(?:\\t|\s)*:(?:\\t|\s)*)[0-9A-Za-z]+"), r"\1(redacted)"),
    (re.compile(r"(?:/home|/Users|/root)(?:/[^/\s:\"\\]+)?"), "/home/user"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.IGNORECASE), "00:00:00:00:00:00"),
)
_UUID = re.compile(r"\b(GPU|MIG)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_PART = re.compile(r"\b(GPU|MIG)-([0-9a-f][0-9a-f-]*)")
_AMD_SERIAL = re.compile(r"\bunique_id ([1-9]\d*)")
_AMD = re.compile(r"\bGPU-([0-9a-f]{16})\b")

NAME_CHARS_MIN = 3  # a shorter one names nobody, and stands in too many other words
_MEANINGFUL = re.compile(
    "amd|android|apple|arm|cpu|cuda|darwin|debian|dev|etc|gpu|host|intel|jetson|linux|localhost|"
    "mac|metal|mlx|none|nvidia|proc|python|root|run|slice|sys|system|user|vulkan|windows|wsl"
)
"""Names that mean something to detection, whoever is called so: they stay."""


def redact(text: str, names: Iterable[str] = ()) -> str:
    """Take out serial numbers, home folders, device UUIDs, MAC addresses, and these names.

    `names`: of the user and of the machine.
    """
    for pattern, put in _PLAIN:
        text = pattern.sub(put, text)
    text = _devices(_amd(text))
    for name in names:
        if len(name) >= NAME_CHARS_MIN and not _MEANINGFUL.fullmatch(name.lower()):
            word = rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"
            text = re.sub(word, "redacted", text, flags=re.IGNORECASE)
    return text


def _amd(text: str) -> str:
    """Number AMD's cards: a serial in the topology, its hexadecimal form in variables."""
    serials = [int(number) for number in _AMD_SERIAL.findall(text)]
    serials += [int(number, 16) for number in _AMD.findall(text)]
    order = {serial: at for at, serial in enumerate(dict.fromkeys(serials), 1)}
    text = _AMD_SERIAL.sub(lambda found: f"unique_id {order[int(found[1])]}", text)
    return _AMD.sub(lambda found: f"GPU-{order[int(found[1], 16)]:016x}", text)


def _devices(text: str) -> str:
    """Number NVIDIA's cards and slices. The start of one is written out as the whole."""
    order = {uuid: at for at, uuid in enumerate(dict.fromkeys(_UUID.findall(text)), 1)}

    def numbered(found: re.Match[str]) -> str:
        kind, part = found.groups()
        if _AMD.fullmatch(found[0]):
            return found[0]
        fits = [at for (one, uuid), at in order.items() if one == kind and uuid.startswith(part)]
        at = fits[0] if len(fits) == 1 else 0  # of none, or of several, which CUDA does not take
        return f"{kind}-{at:08x}-0000-0000-0000-000000000000"

    return _PART.sub(numbered, text)
