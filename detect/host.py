"""How detection asks: files, commands and probes through one small interface.

Readers never touch the machine themselves. `LiveHost` asks it, `RecordingHost` keeps what it
answered, `RecordedHost` answers from a record: the same readers run in all three.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from detect.record import ENV_KEPT, FILE_BYTES_MAX, About, Command, Probed, Record, Unread

COMMAND_TIMEOUT_S = 2.0  # getprop and sysctl answer in milliseconds; a hung one must not hold us
DEVICE_GROUPS = {"render", "video"}
"""The groups that open devices. Others are not told: a user's own one has the user's name."""
NAMES_MAX = 4096  # of one folder: /sys/devices/system/cpu of the largest machine is far below


class Host(Protocol):
    """The machine being asked. None and Unread are answers; nothing raises."""

    @property
    def about(self) -> About:
        """What Python says of the process."""

    @property
    def env(self) -> Mapping[str, str]:
        """Environment variables."""

    def read(self, path: str) -> str | Unread | None:
        """The start of a file as text, why it could not be read, or None when it is not there."""

    def names(self, path: str) -> tuple[str, ...]:
        """The sorted names in a folder; empty when there is none."""

    def run(self, *argv: str) -> Command | None:
        """Run a command; None when it is not there, hangs, or cannot be started."""

    def probe(self, name: str) -> Probed:
        """What the probe of this name brought back."""


def text_of(host: Host, path: str) -> str | None:
    """The file's text without its last newline, or None for every reason there is none."""
    got = host.read(path)
    return got.strip() if isinstance(got, str) else None


def number_of(host: Host, path: str) -> int | None:
    """The whole number a file holds, or None."""
    text = text_of(host, path)
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None


class LiveHost:
    """This machine, or a copy of its /proc and /sys below another root."""

    def __init__(self, root: str = "/", env: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.env: Mapping[str, str] = os.environ if env is None else env
        self.about = _about()

    def read(self, path: str) -> str | Unread | None:
        """See Host. A device node is opened and closed: its text is empty."""
        full = Path(self.root, path.lstrip("/"))
        try:
            if path.startswith("/dev/"):
                os.close(os.open(full, os.O_RDWR | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)))
                return ""
            with full.open("rb") as file:
                return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            return Unread("denied")
        except OSError:
            return Unread("failed")

    def names(self, path: str) -> tuple[str, ...]:
        """See Host."""
        try:
            return tuple(sorted(os.listdir(Path(self.root, path.lstrip("/"))))[:NAMES_MAX])  # noqa: PTH208 - names, not paths
        except OSError:
            return ()

    def run(self, *argv: str) -> Command | None:
        """See Host."""
        return run_command(argv)

    def probe(self, name: str) -> Probed:
        """Live probes run in processes of their own, beside this host: detect.probing."""
        return Probed(error="absent", detail=f"probe {name} was not asked")


def run_command(argv: Sequence[str]) -> Command | None:
    """Run a fixed, short command without a shell, within COMMAND_TIMEOUT_S."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed argument lists of the readers, no shell
            argv,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Command(done.returncode, done.stdout[:FILE_BYTES_MAX].decode("utf-8", "replace"))


class RecordingHost:
    """Another host, and a record of what it answered."""

    def __init__(self, inner: Host) -> None:
        self.inner = inner
        self.about = inner.about
        self.env = inner.env
        self._files: dict[str, str | Unread] = {}
        self._commands: dict[str, Command] = {}

    def read(self, path: str) -> str | Unread | None:
        """See Host."""
        got = self.inner.read(path)
        if got is not None:
            self._files[path] = got
        return got

    def names(self, path: str) -> tuple[str, ...]:
        """See Host."""
        return self.inner.names(path)

    def run(self, *argv: str) -> Command | None:
        """See Host."""
        done = self.inner.run(*argv)
        if done is not None:
            self._commands[" ".join(argv)] = done
        return done

    def probe(self, name: str) -> Probed:
        """See Host."""
        return self.inner.probe(name)

    def record(self) -> Record:
        """Everything asked so far."""
        env = {name: text for name, text in self.env.items() if ENV_KEPT.search(name)}
        return Record(
            about=self.about, env=env, files=dict(self._files), commands=dict(self._commands)
        )


class RecordedHost:
    """A machine that answers from its record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.about = record.about
        self.env: Mapping[str, str] = record.env

    def read(self, path: str) -> str | Unread | None:
        """See Host."""
        return self.record.files.get(path)

    def names(self, path: str) -> tuple[str, ...]:
        """See Host. A folder holds what the recorded paths say it holds."""
        start = path.rstrip("/") + "/"
        inside = (
            p[len(start) :].split("/", 1)[0] for p in self.record.files if p.startswith(start)
        )
        return tuple(sorted(set(inside)))

    def run(self, *argv: str) -> Command | None:
        """See Host."""
        return self.record.commands.get(" ".join(argv))

    def probe(self, name: str) -> Probed:
        """See Host."""
        return self.record.probes.get(name, Probed(error="absent"))


def _about() -> About:
    affinity = getattr(os, "sched_getaffinity", None)
    return About(
        sys_platform=sys.platform,
        machine=platform.machine(),
        release=platform.release(),
        python=platform.python_version(),
        cpus=os.cpu_count(),
        affinity=tuple(sorted(affinity(0))) if affinity else None,
        uid=os.getuid() if hasattr(os, "getuid") else None,
        groups=_groups(),
        android_api=hasattr(sys, "getandroidapilevel"),
        files_open_max=_files_open_max(),
    )


def _groups() -> tuple[str, ...]:
    if not hasattr(os, "getgroups"):
        return ()
    try:
        import grp

        mine = {grp.getgrgid(gid).gr_name for gid in os.getgroups()}
        return tuple(sorted(mine & DEVICE_GROUPS))
    except (ImportError, KeyError, OSError):
        return ()


def _files_open_max() -> int | None:
    try:
        import resource

        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except (ImportError, OSError, ValueError):
        return None
