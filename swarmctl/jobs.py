"""`swarmctl jobs`: what is asked of the node, and what became of it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure

if TYPE_CHECKING:
    from detect.home import Home
    from protocol import messages as m
    from swarmctl.client import Client

app = typer.Typer(help="List, show, wait for, cancel and replay jobs.", invoke_without_command=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="A job id, as `jobs ls` shows it.")]
JobList = Annotated[list[str], typer.Argument(metavar="JOB", help="Job ids.")]
Limit = Annotated[str, typer.Option("--limit", help="Rows at most, 1 to 1000.", metavar="N")]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", help="Stop waiting after 60s, 2m, 1h; the job goes on.", metavar="TIME"
    ),
]


@app.callback()
def _start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("ls")
def ls(limit: Limit = "50", json: o.Json = False) -> None:
    """List the newest jobs; from the journal while no node runs."""
    from detect import home
    from protocol import messages as m
    from protocol.limits import JOBS_LISTED_MAX
    from swarmctl import asjson, history, render
    from swarmctl.client import Client, is_listening
    from swarmctl.flags import whole
    from swarmctl.out import data, ink, wide

    here, rows = home.find(), whole("--limit", limit, 1, JOBS_LISTED_MAX, "--limit 50")
    if is_listening(here):
        with Client(here) as client:
            listed = client.ask(m.Jobs(limit=rows), m.JobList)
    else:
        with history.opened(here) as journal:
            listed = journal.jobs(rows)
    data(asjson.line(asjson.jobs(listed)) if json else render.jobs(listed, wide(), ink(sys.stdout)))


@app.command("show")
def show(job: Job, json: o.Json = False) -> None:
    """Tell a job's life in order: its seats, its votes, why it stopped."""
    from detect import home
    from swarmctl import asjson, render
    from swarmctl.out import data, ink

    report = _report(home.find(), job)
    data(asjson.line(asjson.job(report)) if json else render.job(report, ink(sys.stdout)))


def _report(here: "Home", job: str) -> "m.JobReport":
    """A job's life, as the broker tells it, or the journal while there is none."""
    from protocol import messages as m
    from protocol.ids import JobId
    from swarmctl import history
    from swarmctl.client import Client, is_listening

    if is_listening(here):
        with Client(here) as client:
            return client.ask(m.Show(job=JobId(job)), m.JobReport)
    with history.opened(here) as journal:
        return journal.job(job)


@app.command("replay")
def replay(job: Job, json: o.Json = False) -> None:
    """Ask with the same seeds again, and say where the texts differ. Exit code 1 if any does."""
    from detect import home
    from protocol.ids import JobId
    from swarmctl import asjson, ask, uuid7
    from swarmctl import replay as r
    from swarmctl.client import Client
    from swarmctl.out import data, talk

    here = home.find()
    report = _report(here, job)
    if report.verdict is None or not report.verdict.votes:
        raise Failure(
            f"the job {job} has no votes to compare with",
            "it has not ended" if report.verdict is None else "nobody answered",
            f"swarmctl jobs show {job}",
        )
    put = r.again(report, JobId(uuid7.job_id()))
    with Client(here) as client:
        verdict = ask.ask(client, put)
        client.ack(verdict.job)
    compared = r.compare(report.verdict.votes, verdict.votes)
    if json:
        data(asjson.line(r.record(job, put, compared)))
    else:
        data("\n".join(map(r.line, compared)))
    same = sum(c.state == "same" for c in compared)
    talk(f"{same} of {len(compared)} texts are the same")
    raise typer.Exit(Exit.DONE if same == len(compared) else Exit.FAILED)


@app.command("wait")
def wait(jobs: JobList, timeout: Timeout = None, json: o.Json = False) -> None:
    """Wait for jobs; print each one's answer, in the order given. Ctrl-C leaves them alone."""
    from time import monotonic

    from detect import home
    from swarmctl.client import Client, is_listening
    from swarmctl.flags import duration_s
    from swarmctl.out import fail

    wait_s = float("inf") if timeout is None else duration_s("--timeout", timeout, or_zero=True)
    until_at = monotonic() + wait_s
    codes = []
    here = home.find()
    if not is_listening(here):
        raise typer.Exit(next((code for code in _ended(here, jobs, json) if code), 0))
    with Client(here) as client:
        for job in jobs:
            try:
                codes.append(_wait_one(client, job, until_at - monotonic(), json))
            except Failure as error:
                if error.code == Exit.NO_BROKER:
                    raise
                fail(error)
                codes.append(error.code)
    raise typer.Exit(next((code for code in codes if code), 0))


def _ended(here: "Home", jobs: list[str], json: bool) -> list[int]:
    """Tell the verdicts that the journal holds; without a broker no job can end."""
    from swarmctl import history
    from swarmctl.client import exit_code
    from swarmctl.exits import NoBroker
    from swarmctl.out import fail

    codes: list[int] = []
    with history.opened(here) as journal:
        for job in jobs:
            try:
                verdict = journal.job(job).verdict
                if verdict is None:
                    because = "it goes on where it was when the node runs again"
                    raise NoBroker(f"the job {job} has not ended, and no node runs here", because)
                _tell(verdict, json)
                codes.append(exit_code(verdict))
            except Failure as error:
                fail(error)
                codes.append(error.code)
    return codes


def _wait_one(client: "Client", job: str, left_s: float, json: bool) -> int:
    from protocol import messages as m
    from protocol.ids import JobId
    from swarmctl import ask
    from swarmctl.client import exit_code

    verdict = ask.wait(client, m.Wait(job=JobId(job)), left_s) if left_s > 0 else None
    if verdict is None:  # the time is over, and may have been before this job's turn to be told
        verdict = client.ask(m.Show(job=JobId(job)), m.JobReport).verdict
    if verdict is None:
        raise Failure(
            f"the job {job} has not ended yet",
            "the time to wait is over",
            f"swarmctl jobs wait {job}",
            Exit.EXPIRED,
        )
    _tell(verdict, json)
    client.ack(verdict.job)
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
        verdict = client.ask(m.Cancel(job=JobId(job)), m.Verdict)
        _tell(verdict, json)
        client.ack(verdict.job)
