"""`swarmctl jobs`: what is asked of the node, and what became of it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure

if TYPE_CHECKING:
    from protocol import messages as m
    from swarmctl.client import Client

app = typer.Typer(help="List, show, wait for and cancel jobs.", invoke_without_command=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="A job id, as `jobs ls` shows it.")]
JobList = Annotated[list[str], typer.Argument(metavar="JOB…", help="Job ids.")]
Limit = Annotated[int, typer.Option(help="Rows at most.", min=1, max=1000)]
Timeout = Annotated[
    str | None, typer.Option(help="Stop waiting after 60s, 2m, 1h; the job goes on.")
]


@app.callback()
def _start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("ls")
def ls(limit: Limit = 50, json: o.Json = False) -> None:
    """List the newest jobs."""
    from detect import home
    from protocol import messages as m
    from swarmctl import asjson, render
    from swarmctl.client import Client
    from swarmctl.out import data, ink, wide

    with Client(home.find()) as client:
        listed = client.ask(m.Jobs(limit=limit), m.JobList)
    data(asjson.line(asjson.jobs(listed)) if json else render.jobs(listed, wide(), ink(sys.stdout)))


@app.command("show")
def show(job: Job, json: o.Json = False) -> None:
    """Tell a job's life in order: its seats, its votes, why it stopped."""
    from detect import home
    from protocol import messages as m
    from protocol.ids import JobId
    from swarmctl import asjson, render
    from swarmctl.client import Client
    from swarmctl.out import data, ink

    with Client(home.find()) as client:
        report = client.ask(m.Show(job=JobId(job)), m.JobReport)
    data(asjson.line(asjson.job(report)) if json else render.job(report, ink(sys.stdout)))


@app.command("wait")
def wait(jobs: JobList, timeout: Timeout = None, json: o.Json = False) -> None:
    """Wait for jobs; print each one's answer, in the order given. Ctrl-C leaves them alone."""
    from time import monotonic

    from detect import home
    from detect.keys import duration_s
    from swarmctl.client import Client
    from swarmctl.out import fail

    try:
        until_at = monotonic() + (duration_s(timeout) if timeout else float("inf"))
    except ValueError:
        raise typer.BadParameter(f"--timeout {timeout!r} is no duration: 60s, 2m, 1h") from None
    codes = []
    with Client(home.find()) as client:
        for job in jobs:
            try:
                codes.append(_wait_one(client, job, until_at - monotonic(), json))
            except Failure as error:
                if error.code == Exit.NO_BROKER:
                    raise
                fail(error)
                codes.append(error.code)
    raise typer.Exit(next((code for code in codes if code), 0))


def _wait_one(client: "Client", job: str, left_s: float, json: bool) -> int:
    from protocol import messages as m
    from protocol.ids import JobId
    from swarmctl import ask
    from swarmctl.client import exit_code

    verdict = ask.wait(client, m.Wait(job=JobId(job)), max(0.0, left_s))
    if verdict is None:
        raise Failure(f"the job {job} has not ended yet", "the time to wait is over", "", 6)
    _tell(verdict, json)
    return exit_code(verdict)


def _tell(verdict: "m.Verdict", json: bool) -> None:
    from swarmctl import asjson, render
    from swarmctl.out import data, ink, talk

    if json:
        data(asjson.line(asjson.verdict(verdict)))
        return
    if (answer := render.answer(verdict)) is not None:
        data(answer)
    talk(render.verdict(verdict, ink(sys.stderr)))


@app.command("cancel")
def cancel(job: Job, json: o.Json = False) -> None:
    """End a job now. One that has ended keeps its verdict."""
    from detect import home
    from protocol import messages as m
    from protocol.ids import JobId
    from swarmctl.client import Client

    with Client(home.find()) as client:
        _tell(client.ask(m.Cancel(job=JobId(job)), m.Verdict), json)
