"""A machine as it answered: every file, command and probe that detection asked for.

`swarmctl detect --record FILE` writes one (redacted), `--root FILE` reads it, and the tests replay
machines that nobody here owns. A file that is not in the record does not exist on that machine.
"""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from detect.redact import redact

MOUNTS = "/proc/self/mountinfo"
FILE_BYTES_MAX = 65_536
"""Of one recorded file: /proc/cpuinfo of 256 processors is longer, and its start is enough."""


class Unread(msgspec.Struct, frozen=True):
    """A file that is there and could not be read."""

    error: Literal["denied", "failed"]


class Command(msgspec.Struct, frozen=True):
    """A command that ran to its end."""

    rc: int = 0
    out: str = ""


class Probed(msgspec.Struct, frozen=True):
    """What a probe's own process brought back: a JSON object, or why there is none."""

    value: dict[str, object] | None = None
    error: Literal["", "timeout", "crashed", "garbage", "absent"] = ""
    detail: str = ""


class About(msgspec.Struct, frozen=True):
    """What Python itself says of its process and machine."""

    sys_platform: str = "linux"
    machine: str = "x86_64"
    release: str = ""
    python: str = ""
    cpus: int | None = None
    affinity: tuple[int, ...] | None = None
    uid: int | None = None
    groups: tuple[str, ...] = ()
    android_api: bool = False  # sys.getandroidapilevel exists
    files_open_max: int | None = None
    disk_free_bytes: int | None = None  # where the node keeps its models and journal


class Record(msgspec.Struct, frozen=True):
    """One machine's answers."""

    about: About = About()
    schema: int = 1
    note: str = ""  # recorded where, or hand-made from which document
    env: dict[str, str] = {}
    files: dict[str, str | Unread] = {}
    commands: dict[str, Command] = {}
    probes: dict[str, Probed] = {}


ENV_KEPT = re.compile(
    r"^(CUDA_|NVIDIA_|HIP_|ROCR_|HSA_|GPU_DEVICE|ONEAPI_|ZES_|GGML_|LLAMA_|MLX_|TERMUX_|ANDROID_)"
    r"|^(PREFIX|WSL_DISTRO_NAME|WSL_INTEROP|container|KUBERNETES_SERVICE_HOST)$"
)
"""The variables that detection asks about. No other leaves this machine in a record."""


def dump(record: Record, names: Iterable[str] = ()) -> bytes:
    """Give the record as indented JSON, redacted; `names`: of the user and of the machine."""
    files = {path: _needed(path, got) for path, got in record.files.items()}
    text = msgspec.json.encode(msgspec.structs.replace(record, files=files)).decode()
    return msgspec.json.format(redact(text, names).encode(), indent=1)


def _needed(path: str, got: str | Unread) -> str | Unread:
    """Of the list of mounts only control groups: the rest names shares, disks and people."""
    if path != MOUNTS or isinstance(got, Unread):
        return got
    return "".join(line for line in got.splitlines(keepends=True) if " - cgroup" in line)


def load(data: bytes) -> Record:
    """Read a record. Raises msgspec.DecodeError or ValidationError on anything else."""
    return msgspec.json.decode(data, type=Record)


def merge(first: Record, *others: Record) -> Record:
    """Join what several probes read of the same machine; the first one's `about` stands."""
    files = {path: text for r in (first, *others) for path, text in r.files.items()}
    commands = {argv: done for r in (first, *others) for argv, done in r.commands.items()}
    probes = {name: got for r in (first, *others) for name, got in r.probes.items()}
    return msgspec.structs.replace(first, files=files, commands=commands, probes=probes)
