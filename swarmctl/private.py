"""A node for one command: in a folder of its own, ended with the command. Shell.

Its standard input is a pipe that only we hold, so that even a SIGKILL of ours ends it; a shell
waits for its end and removes the folder, which nobody else could do then.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from detect import home as homes
from detect.settings import Settings
from swarmctl import node, planned
from swarmctl.out import Progress, talk

END_S = 5.0
"""A private node has nothing to finish: its workers leave within a second."""

THEN_REMOVE = '"$@"; code=$?; rm -rf -- "$0"; exit $code'
"""For sh: $0 is the folder, the rest is the broker's command line."""


@contextlib.contextmanager
def private_node(settings: Settings, model: str) -> Iterator[homes.Home]:
    """Start a node, wait for its first worker, and end it on leaving."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, after the node
    folder = Path(tempfile.mkdtemp(prefix="swarm-private-"))
    home = homes.find({"SWARM_HOME": str(folder)})
    try:
        ready = _prepare(settings, model, home)
        process = _start(ready, folder, log)
        try:
            with Progress("starting a private node") as progress:
                node.wait_until_ready(home, process, lambda: node.tail(log), 1, progress.say)
            yield home
        finally:
            _end(process)
    finally:
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(settings: Settings, model: str, home: homes.Home) -> dict[str, object]:
    """The broker's flags, with a plan. Raises Failure when nothing fits."""
    workers, model = max(1, settings.workers), model or settings.model
    chosen = msgspec.structs.replace(settings, workers=workers, model=model)
    homes.prepare(home)
    ready = planned.prepare(home, chosen, homes.find())
    for warning in ready.warnings:
        talk(f"warning: {warning}")
    return {
        "workers": workers,
        "slots": settings.slots,
        "model": model,
        "engine": settings.engine,
        "context": settings.context or "auto",
        "gpu_layers": settings.gpu_layers,
        "name": settings.name,
        "durability": "none",  # its folder goes with it
        **ready.flags,
    }


def _start(flags: Mapping[str, object], folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    broker = node.command(flags, lifeline=True)
    sh = shutil.which("sh")
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sh, "-c", THEN_REMOVE, str(folder), *broker] if sh else broker,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=node.environment(folder),
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the lifeline; if that does not end it, end the whole session."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
