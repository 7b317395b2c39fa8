"""`swarmctl submit`: ask, wait, print the answer that won."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, NoBroker, wrong

if TYPE_CHECKING:
    from detect.home import Home
    from protocol import messages as m
    from swarmctl.behaving import Behaving
    from swarmctl.check import Checker
    from swarmctl.client import Client
    from swarmctl.judge import Judge
    from swarmctl.results import Sink


def submit(
    *,
    prompt: o.Prompt = None,
    votes: o.Votes = None,
    answer: o.Answer = None,
    choices: o.Choices = None,
    schema: o.Schema = None,
    system: o.System = "",
    temperature: o.Temperature = None,
    max_tokens: o.MaxTokens = None,
    seed: o.Seed = None,
    model: o.Model = "",
    stop: o.Stop = None,
    timeout: o.Timeout = None,
    min_agreement: o.MinAgreement = None,
    check: o.Check = None,
    check_timeout: o.CheckTimeout = None,
    judge: o.Judge = None,
    local: o.Local = False,
    detach: o.Detach = False,
    file: o.File = None,
    out: o.Out = None,
    json: o.Json = False,
) -> None:
    """Ask the swarm, and print the answer that won.

    Only the answer goes to stdout; how clear it was goes to stderr. With no node running, a
    private one is started for this command.
    """
    flags = {
        "votes": votes,
        "answer": answer,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "stop": stop,
        "timeout": timeout,
        "min_agreement": min_agreement,
        "local": local or None,
    }
    _check_together(prompt, detach, file, out)
    _check_alone(check, check_timeout, detach, file)
    _judge_alone(judge, check, detach, file)
    rest = {"system": system, "seed": seed, "model": model, **_allowed(choices, schema)}
    if file is not None:
        _submit_file(file, out, flags, rest, json)
    elif detach:
        _submit_detached(prompt, flags, rest, json)
    else:
        _submit_one(prompt, flags, rest, json, check=_command(check, check_timeout), judge=judge)


def _check_together(prompt: str | None, detach: bool, file: str | None, out: str | None) -> None:
    if file is not None and prompt is not None:
        because = "the questions are in the file"
        raise wrong("both PROMPT and --file were given", because, "leave one of them out")
    if file is not None and detach:
        raise wrong("--file with --detach", "a file's results are waited for", "leave --detach out")
    if out is not None and file is None:
        raise wrong("--out without --file", "one answer goes to stdout", "use > FILE")


def _check_alone(check: str | None, timeout: str | None, detach: bool, file: str | None) -> None:
    if check is None and timeout is not None:
        raise wrong("--check-timeout without --check", "nothing is run", "--check CMD")
    if check is not None and not check.strip():
        raise wrong("--check is empty", "nothing would be run", "--check 'python3 -'")
    if check is not None and (detach or file is not None):
        other = "--detach" if detach else "--file"
        raise wrong(
            f"--check with {other}",
            "the command runs here, while the votes of one question come in",
            f"leave {other} out",
        )


def _judge_alone(judge: str | None, check: str | None, detach: bool, file: str | None) -> None:
    if judge is None:
        return
    if not judge.strip():
        raise wrong("--judge is empty", "a model is wanted", "see swarmctl models info")
    others = {"--check": check is not None, "--detach": detach, "--file": file is not None}
    for other in [name for name, given in others.items() if given]:
        raise wrong(
            f"--judge with {other}",
            "the check decides" if other == "--check" else "this command asks the judge",
            f"leave {other} out",
        )


def _command(check: str | None, timeout: str | None) -> tuple[str, float] | None:
    """The user's command and the seconds that one run of it may take."""
    from swarmctl.check import TIMEOUT_S
    from swarmctl.flags import duration_s

    if check is None:
        return None
    return check, TIMEOUT_S if timeout is None else duration_s("--check-timeout", timeout)


def _allowed(choices: str | None, schema: str | None) -> dict[str, Any]:
    """Which answers there are."""
    if choices is not None and schema is not None:
        raise wrong("--choices with --schema", "both say which answers there are", "use one")
    return {"choices": _choices(choices), "schema": _schema(schema)}


def _choices(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    choices = tuple(choice.strip() for choice in text.split(","))
    if len(choices) < 2 or not all(choices):
        raise wrong(f"--choices {text!r}", "a question has two answers or more", "--choices A,B,C")
    return choices


def _schema(file: str | None) -> str:
    if file is None:
        return ""
    from broker.voting.answers.schema import Schema, SchemaError
    from protocol.limits import SCHEMA_BYTES_MAX
    from swarmctl import questions

    raw = questions.contents(file, SCHEMA_BYTES_MAX)
    text = questions.decode(raw, file)
    try:
        Schema(text)
    except SchemaError as error:
        hint = '{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}'
        raise wrong(f"--schema {file} cannot be used", str(error), f"such as {hint}") from None
    return text


def template(flags: dict[str, Any], rest: dict[str, Any]) -> "m.Submit":
    """The job without its id and its prompt. Raises Failure or SettingsError for misuse."""
    import os

    from detect import home, settings
    from protocol import messages as m
    from protocol.ids import JobId
    from protocol.limits import SEED_MAX
    from swarmctl.flags import whole

    chosen = settings.load(home.find(), os.environ, flags)
    if rest["seed"] is not None:
        drawn = "leave it out: one is drawn, and told"
        rest = {**rest, "seed": whole("--seed", rest["seed"], 0, SEED_MAX, drawn)}
    if rest["choices"] and chosen.answer not in ("auto", "choice"):
        raise wrong(
            f"--choices with answer {chosen.answer!r}",
            "choices are compared as choices",
            "--answer choice, or leave --choices out",
        )
    if rest["schema"] and chosen.answer not in ("auto", "json"):
        raise wrong(
            f"--schema with answer {chosen.answer!r}",
            "a schema says what JSON must look like",
            "--answer json, or leave --answer out",
        )
    return m.Submit(
        job=JobId(""),
        prompt="",
        votes=chosen.votes,
        answer="choice" if rest["choices"] else chosen.answer,
        temperature=chosen.temperature,
        max_tokens=chosen.max_tokens,
        stop=chosen.stop,
        timeout_s=chosen.timeout_s,
        min_agreement=chosen.min_agreement,
        local=chosen.local,
        **rest,
    )


def _submit_one(
    prompt: str | None,
    flags: dict[str, Any],
    rest: dict[str, Any],
    json: bool,
    *,
    check: tuple[str, float] | None,
    judge: str | None,
) -> None:
    import msgspec

    from swarmctl import questions, uuid7
    from swarmctl.ask import Interrupted, ask
    from swarmctl.check import Checker
    from swarmctl.client import exit_code
    from swarmctl.judge import refuse_absent
    from swarmctl.out import talk, watched
    from swarmctl.render import WHY_COLUMNS
    from swarmctl.text import shorten

    told = watched() and not json
    job = msgspec.structs.replace(
        template(flags, rest), job=uuid7.job_id(), prompt=questions.prompt(prompt), watch=told
    )
    checker = _checker(job, check, judge, flags)
    if checker is not None:
        job = checker.put(job)
    code: int = Exit.INTERRUPTED
    with any_node(job) as (client, asked), checker or contextlib.nullcontext():
        if judge:
            refuse_absent(judge, client)
        try:
            verdict = ask(client, asked, checker)
            code = exit_code(verdict)
        except Interrupted as error:
            if error.verdict is None:
                talk(f"the job {job.job} may still run: swarmctl jobs cancel {job.job}")
                raise typer.Exit(code) from None
            verdict = error.verdict
        _print(verdict, json)
        if isinstance(checker, Checker) and checker.last and code and not (told or json):
            talk(f"the last check: {shorten(checker.last, WHY_COLUMNS)}")
        client.ack(verdict.job)
    raise typer.Exit(code)


def _checker(
    job: "m.Submit",
    check: tuple[str, float] | None,
    judge: str | None,
    flags: dict[str, Any],
) -> "Checker | Judge | Behaving | None":
    """Who picks among the votes, where it is not the count."""
    if check is not None:
        from swarmctl.check import Checker

        return Checker(*check, told=job.watch)
    if judge is None:
        return _behaving(job)

    from detect import home
    from swarmctl.client import is_listening
    from swarmctl.judge import Judge, refuse_misuse

    refuse_misuse(job, flags["min_agreement"] is not None)
    here = home.find()
    if not is_listening(here):
        because = "a private one would hold one model, and no judge beside it"
        raise NoBroker("no node runs here", because, "swarmctl up --detach")
    return Judge(judge, here, job)


def _behaving(job: "m.Submit") -> "Behaving | None":
    """Who compares programs by what they do, when it is programs that are asked for."""
    if job.votes == 1 or job.choices or job.schema or job.answer not in ("auto", "code"):
        return None
    from broker.voting.answers.auto import of_prompt

    if job.answer == "auto" and of_prompt(job.prompt) != "code":
        return None
    from swarmctl.behaving import Behaving, why_no_sandbox

    if why := why_no_sandbox():
        if job.answer == "auto":
            return None
        raise wrong(
            "--answer code runs the programs to compare them, and no sandbox can be had here",
            why,
            "--check CMD, which runs your own command, or --answer text",
        )
    return Behaving(job.prompt, job.min_agreement)


def _print(verdict: "m.Verdict", json: bool) -> None:
    from swarmctl import asjson, render
    from swarmctl.out import data, ink, talk
    from swarmctl.text import safe_text

    if json:
        data(asjson.line(asjson.verdict(verdict)))
        return
    shown = render.answer(verdict)
    if shown is not None:
        data(safe_text(shown) if sys.stdout.isatty() else shown)
    talk(render.verdict(verdict, ink(sys.stderr)))


def _submit_detached(
    prompt: str | None, flags: dict[str, Any], rest: dict[str, Any], json: bool
) -> None:
    import msgspec

    from detect import home
    from swarmctl import asjson, questions, uuid7
    from swarmctl.ask import put
    from swarmctl.client import Client
    from swarmctl.out import data, talk
    from swarmctl.text import safe

    job = msgspec.structs.replace(
        template(flags, rest), job=uuid7.job_id(), prompt=questions.prompt(prompt)
    )
    try:
        client = Client(home.find())
    except NoBroker as error:
        hint = "swarmctl up --detach, or leave --detach out"
        raise NoBroker(error.seen, "a private node would end with this command", hint) from None
    with client:
        accepted = put(client, job)
    for note in accepted.notes:
        talk(f"note: {safe(note)}")
    data(asjson.line(asjson.accepted(accepted)) if json else accepted.job)


def _submit_file(
    file: str, out: str | None, flags: dict[str, Any], rest: dict[str, Any], json: bool
) -> None:
    from swarmctl import batch, questions, results

    asking = template(flags, rest)
    asked = questions.from_file(file)
    with results.sink(out, json) as sink:
        left = [question for question in asked if question.id not in sink.there]
        if left:
            with any_node(asking) as (client, job):
                batch.run(client, job, left, sink)
    if out is not None or not json:
        _tell_ends(sink, len(asked) - len(left))
    raise typer.Exit(sink.code)


def _tell_ends(sink: "Sink", there: int) -> None:
    from swarmctl import render
    from swarmctl.client import refusal
    from swarmctl.out import fail, ink, talk

    talk(render.batch(sink.ends, sink.why, there, ink(sys.stderr)))
    for problem in sink.problems.values():
        fail(refusal(problem))


@contextlib.contextmanager
def any_node(job: "m.Submit") -> "Iterator[tuple[Client, m.Submit]]":
    """A conversation with this home's node, or with a private one that lives as long."""
    import os

    import msgspec

    from detect import home, settings
    from swarmctl.client import Client, is_listening

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the job too, like Ctrl-C
    ours: Home = home.find()
    if is_listening(ours):
        with Client(ours) as client:
            yield client, job
        return
    from swarmctl.out import talk
    from swarmctl.private import private_node

    chosen = settings.load(ours, os.environ, {"model": job.model or None})
    talk(f"no node runs here; starting a private one with {job.model or chosen.model}")
    with private_node(chosen, job.model) as private, Client(private) as client:
        # Its one model is the one that was asked for, whatever name it has there.
        yield client, msgspec.structs.replace(job, model="")
