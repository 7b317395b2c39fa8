"""`down`, `scale`, `status`, `workers`: the node that runs here."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure

if TYPE_CHECKING:
    from detect.home import Home
    from protocol import messages as m
    from swarmctl.client import Client
    from swarmctl.out import Progress

Now = Annotated[bool, typer.Option("--now", help="Do not wait for the jobs that run.")]
Count = Annotated[str, typer.Argument(metavar="N", help="Workers that shall be there.")]

END_S = 10.0
"""After the drain, for the workers to leave and the broker to end."""

POLL_S = 0.1
"""Between two looks at a node that changes."""


def status(json: o.Json = False) -> None:
    """Show the node now: its jobs, workers and peers."""
    from swarmctl import asjson, render
    from swarmctl.out import data, ink, wide

    report = _report()
    shown = render.status(report, wide(), ink(sys.stdout))
    data(asjson.line(asjson.status(report)) if json else shown)


def workers(json: o.Json = False) -> None:
    """List the node's workers: state, model, load, speed, memory."""
    from swarmctl import asjson, render
    from swarmctl.out import data, ink, wide

    report = _report()
    shown = render.workers(report, wide(), ink(sys.stdout))
    data(asjson.line(asjson.workers(report)) if json else shown)


def _report() -> "m.NodeReport":
    from detect import home
    from protocol import messages as m
    from swarmctl.client import Client

    with Client(home.find()) as client:
        return client.ask(m.Status(), m.NodeReport)


def down(now: Now = False, json: o.Json = False) -> None:
    """Finish what runs, then end the node."""
    from detect import home
    from protocol import messages as m
    from swarmctl import asjson
    from swarmctl.client import Client
    from swarmctl.out import Progress, data, talk
    from swarmctl.text import plural

    here = home.find()
    with Client(here) as client:
        said = client.ask(m.Down(now=now), m.Stopping)
    running = plural(said.running, "job")
    with Progress(f"{running} to finish" if not now else "ending") as progress:
        _await_end(here, said.grace_s + END_S, progress)
    if json:
        data(asjson.line({"stopped": True, "running": said.running}))
    else:
        end = "cut short" if now else "finished"
        talk("the node has ended" + (f", {running} {end}" if said.running else ""))


def _await_end(home: "Home", within_s: float, progress: "Progress") -> None:
    from time import monotonic, sleep

    from swarmctl.client import broker_shown, is_listening

    deadline_at = monotonic() + within_s
    while is_listening(home):
        if monotonic() >= deadline_at:
            pid = broker_shown(home)
            raise Failure(
                f"the node has not ended within {within_s:.0f} s",
                f"its broker is process {pid}",
                f"swarmctl down --now, or kill -KILL {pid}",
            )
        progress.tick()
        sleep(POLL_S)


def scale(count: Count, json: o.Json = False) -> None:
    """Start or drain workers until N are there."""
    from detect import home
    from detect.keys import WORKERS_MAX
    from protocol import messages as m
    from swarmctl import asjson
    from swarmctl.client import Client
    from swarmctl.flags import whole
    from swarmctl.out import Progress, data, talk

    workers = whole("swarmctl scale", count, 0, WORKERS_MAX, "swarmctl scale 1")
    with Client(home.find()) as client:
        said = client.ask(m.Scale(workers=workers), m.Scaled)
        with Progress(f"workers: {said.before} -> {said.workers}") as progress:
            _await_workers(client, said.workers, progress)
    if json:
        data(asjson.line({"workers": said.workers, "before": said.before}))
    else:
        talk(f"workers: {said.before} -> {said.workers}")


def _await_workers(client: "Client", count: int, progress: "Progress") -> None:
    """Until so many are alive and nobody starts or drains. Raises Failure when one has failed."""
    from time import monotonic, sleep

    from protocol import messages as m
    from swarmctl.node import START_S_MAX

    deadline_at = monotonic() + START_S_MAX
    while monotonic() < deadline_at:
        report = client.ask(m.Status(), m.NodeReport)
        failed = [worker for worker in report.workers if worker.state == "failed"]
        if failed and not any(worker.state == "starting" for worker in report.workers):
            raise Failure(
                f"{failed[0].id} could not be started",
                failed[0].reason,
                "swarmctl workers",
                Exit.NO_ROOM,
            )
        ours = [worker.state for worker in report.workers]
        if "starting" not in ours and "draining" not in ours and len(ours) >= count:
            return
        progress.tick()
        sleep(POLL_S)
    late = f"waited {START_S_MAX:.0f} s for them"
    raise Failure(f"{count} workers are not there yet", late, "swarmctl workers", Exit.NO_ROOM)
