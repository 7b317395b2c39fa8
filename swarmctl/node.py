"""Starting a broker as a child process, and knowing when it can be asked. Shell."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import IO

from detect.home import Home
from protocol import messages as m
from swarmctl.client import Client, is_listening
from swarmctl.exits import Exit, Failure, NoBroker

START_S_MAX = 600.0
"""A large model read from a slow disk; after this the start has failed."""

POLL_S = 0.05
"""Between two looks at a node that starts; short beside what loading any model takes."""

LOG_TAIL_BYTES = 8192
"""Of a log, to find the error in which a node ended."""

Say = Callable[[str], None]
Words = Callable[[], str]
"""What a broker has written so far, for the error in which it ended."""


def command(flags: Mapping[str, object], *, lifeline: bool) -> list[str]:
    """The broker's command line. -P: a folder named `broker` where the user stands is not ours."""
    given = [
        part
        for name, value in flags.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    return [sys.executable, "-P", "-m", "broker", *given, *(["--lifeline"] if lifeline else [])]


def start_attached(flags: Mapping[str, object]) -> subprocess.Popen[bytes]:
    """A broker that ends when we do, in a session of its own: Ctrl-C reaches us alone."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        command(flags, lifeline=True), stdin=subprocess.PIPE, start_new_session=True
    )


def start_detached(
    home: Home, flags: Mapping[str, object]
) -> tuple[subprocess.Popen[bytes], Words]:
    """A broker that outlives us and writes to its log; and how to read what it wrote."""
    with home.log.open("ab") as log:
        before = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command(flags, lifeline=False),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return process, lambda: _since(home.log, before)


def _since(log: Path, before: int) -> str:
    try:
        with log.open("rb") as opened:
            return tail(opened, before)
    except OSError:
        return ""


def tail(log: IO[bytes], begin: int = 0) -> str:
    """The last LOG_TAIL_BYTES of a log, nothing from before `begin`."""
    end = log.seek(0, os.SEEK_END)
    log.seek(max(begin, end - LOG_TAIL_BYTES))
    return log.read().decode(errors="replace")


def nothing() -> str:
    """The words of a broker that speaks to the terminal itself."""
    return ""


def wait_until_ready(
    home: Home, process: subprocess.Popen[bytes], words: Words, workers: int, say: Say
) -> m.NodeReport:
    """The node's report once its first worker has answered a real request.

    Raises Failure when the broker ends, when every worker failed, and after START_S_MAX.
    """
    deadline_at = monotonic() + START_S_MAX
    with contextlib.ExitStack() as stack:
        client: Client | None = None
        while monotonic() < deadline_at:
            if process.poll() is not None:
                raise ended(process.returncode, words())
            if client is None and is_listening(home):
                client = stack.enter_context(Client(home))
            report = _report(client)
            if report and _is_ready(report, workers):
                return report
            say("the node starts" if report is None else "the model is being loaded")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
    raise Failure(
        f"no worker was ready within {START_S_MAX:.0f} s",
        "its model is still being loaded",
        "swarmctl up --detach --model abacus, the built-in model",
        Exit.NO_ROOM,
    )


def _report(client: Client | None) -> m.NodeReport | None:
    if client is None:
        return None
    try:
        return client.ask(m.Status(), m.NodeReport)
    except NoBroker:
        return None  # the process is looked at, too


def _is_ready(report: m.NodeReport, workers: int) -> bool:
    """Whether one worker is alive, or none was asked for. Raises Failure when all have failed."""
    refuse_hopeless(report)
    return workers == 0 or any(worker.state == "alive" for worker in report.workers)


def refuse_hopeless(report: m.NodeReport) -> None:
    """Raises Failure when there are workers and every one of them has failed."""
    if report.workers and all(worker.state == "failed" for worker in report.workers):
        reasons = dict.fromkeys(w.reason for w in report.workers if w.reason)
        raise Failure(
            "no worker could be started",
            "; ".join(reasons) or "no reason was given",
            "swarmctl up --model abacus, the built-in model",
            Exit.NO_ROOM,
        )


def ended(code: int, words: str) -> Failure:
    """The failure of a broker that ended while it was waited for, in its own words if any."""
    seen, because, hint = last_error(words)
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    return Failure(
        seen or "the node ended while it started",
        because or how,
        hint,
        Exit.CONFIGURATION if code == Exit.CONFIGURATION else Exit.FAILED,
    )


def last_error(log: str) -> tuple[str, str, str]:
    """The last error:/because:/hint: of a log; empty where there is none."""
    _, found, last = ("\n" + log).rpartition("\nerror: ")
    if not found:
        return "", "", ""
    seen, *more = last.splitlines()
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in more[:2]}
    return seen, said.get("because", ""), said.get("hint", "")


def stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a broker that we started: asked twice, then made to. Its workers follow it."""
    for end in (process.terminate, process.terminate, process.kill):
        if process.poll() is not None:
            return
        end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)


def environment(home: Path) -> dict[str, str]:
    """Our environment, with another home."""
    return {**os.environ, "SWARM_HOME": str(home)}
