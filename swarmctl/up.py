"""`swarmctl up`: show the plan, start a broker and its workers."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from detect.home import Home
    from protocol import messages as m
    from swarmctl.client import Client
    from swarmctl.planned import Ready

Detach = Annotated[
    bool,
    typer.Option("--detach", help="Return when the first worker has answered a real request."),
]
NoSeeds = Annotated[
    bool,
    typer.Option("--no-seed-variation", help="One slot each: votes come from several workers."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")]

PLAN_ONLY = ("tensor_split", "integrated")
"""Flags that a plan answers, since it knows the devices; the broker takes none of them."""

WATCH_S = 1.0
"""Between two looks at the workers of a node in the foreground."""

GRACE_S = 5.0
"""For a broker whose start failed, before it is ended by force."""


def up(
    *,
    workers: o.Workers = None,
    slots: o.Slots = None,
    model: o.Load = None,
    engine: o.Engine = None,
    gpu_layers: o.GpuLayers = None,
    tensor_split: o.TensorSplit = None,
    integrated: o.Integrated = None,
    context: o.Context = None,
    name: o.Name = None,
    durability: o.Durability = None,
    no_seed_variation: NoSeeds = False,
    detach: Detach = False,
    yes: Yes = False,
) -> None:
    """Start a node here: a broker and its workers, in the foreground.

    Ctrl-C finishes what runs and ends the node; a second one ends it at once.
    """
    import os

    from detect import home, settings
    from swarmctl import planned

    flags = {
        "workers": workers,
        "slots": slots,
        "model": model,
        "engine": engine,
        "gpu_layers": gpu_layers,
        "tensor_split": tensor_split,
        "integrated": integrated,
        "context": context,
        "name": name,
        "durability": durability,
    }
    here = home.find()
    chosen = settings.load(here, os.environ, flags)
    _refuse_second(here)
    home.prepare(here)
    ready = planned.prepare(here, chosen, here, seed_variation=not no_seed_variation)
    _show(ready, chosen.notes)
    told = {**flags, **ready.flags, **dict.fromkeys(PLAN_ONLY)}
    if not (yes or detach or _confirmed()):
        raise typer.Exit(Exit.FAILED)
    if detach:
        _detached(here, told, chosen.workers)
    else:
        raise typer.Exit(_attached(here, told))


def _show(ready: "Ready", notes: tuple[str, ...]) -> None:
    from swarmctl.out import ink, talk

    warnings = [f"{ink(sys.stderr).yellow('warning:')} {text}" for text in ready.warnings]
    for line in (*ready.lines, *warnings, *(f"note: {note}" for note in notes)):
        talk(line)


def _confirmed() -> bool:
    """Whether the user wants it; where there is no terminal nobody is asked."""
    return not sys.stdin.isatty() or typer.confirm("Start it?", True, err=True)


def _refuse_second(home: "Home") -> None:
    """Raises Failure when a node runs here, and HomeError when no socket can be there."""
    from swarmctl.client import broker_shown, is_listening

    if is_listening(home):
        raise Failure(
            "a node runs here already",
            f"its broker is process {broker_shown(home)}",
            "swarmctl status, swarmctl scale N, or swarmctl down first",
        )


def _detached(home: "Home", flags: "Mapping[str, object]", workers: int) -> None:
    from swarmctl import node, render
    from swarmctl.out import Progress, talk

    process, words = node.start_detached(home, flags)
    try:
        with Progress("starting") as progress:
            report = node.wait_until_ready(home, process, words, workers, progress.say)
    except BaseException:
        node.stop(process, GRACE_S)
        raise
    for line in render.changes({}, report)[1]:
        talk(line)
    talk(f"the node runs (process {report.node.pid}); it writes to {home.log}")


def _attached(home: "Home", flags: "Mapping[str, object]") -> int:
    """Run until the broker ends; its exit code. Signals are passed on to it."""
    import os
    import signal

    from swarmctl import node

    process = node.start_attached(flags)
    ends = 0

    def end(_number: int, _frame: object) -> None:
        nonlocal ends
        ends += 1
        process.terminate()
        said = "ending now" if ends > 1 else "finishing what runs; Ctrl-C again ends it at once"
        # Not by sys.stderr: the signal may have come in the midst of a write to it.
        os.write(sys.stderr.fileno(), f"{said}\n".encode())

    def insist() -> None:
        # Two signals that reach a process together are one to it, so the second is said again.
        if ends > 1:
            process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        _watch(home, process, insist)
    finally:
        node.stop(process, GRACE_S)
    return Exit.DONE if ends and process.returncode == 0 else max(process.returncode, 0) or ends


def _watch(home: "Home", process: "subprocess.Popen[bytes]", insist: "Callable[[], None]") -> None:
    """Tell of each worker that comes, fails or goes, until the broker ends; `insist` now and then.

    Raises Failure when every worker has failed and none was ever ready: a node that never worked
    ends with the reason, one that did is kept for `scale`.
    """
    import contextlib
    import subprocess

    from swarmctl import node, render
    from swarmctl.client import Client, is_listening
    from swarmctl.out import talk

    states: dict[str, str] = {}
    served = False
    with contextlib.ExitStack() as stack:
        client: Client | None = None
        while process.poll() is None:
            insist()
            if client is None and is_listening(home):
                client = stack.enter_context(Client(home))
            if client and (report := _report(client)):
                states, lines = render.changes(states, report)
                for line in lines:
                    talk(line)
                served = served or "alive" in states.values()
                if not served:
                    node.refuse_hopeless(report)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(WATCH_S if "alive" in states.values() else node.POLL_S)


def _report(client: "Client") -> "m.NodeReport | None":
    from protocol import messages as m
    from swarmctl.exits import NoBroker

    try:
        return client.ask(m.Status(), m.NodeReport)
    except NoBroker:
        return None  # it is ending, or stopped; the process is looked at, too
