"""`swarmctl models`: the models that vote here, and how far each can be relied on."""

import sys
from typing import Annotated

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure

app = typer.Typer(help="What is known of models.", invoke_without_command=True)

Model = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="A name or a digest; without: all.")
]


@app.callback()
def _start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("info")
def info(model: Model = None, json: o.Json = False) -> None:
    """Show how reliable each model has been.

    By answer type, and what its votes weigh. Learned from the votes of past jobs in which several
    models took part; no answer is looked up. Then what a share of the votes is
    worth here: how often such a winner is right.
    """
    from detect import home
    from protocol import messages as m
    from swarmctl import asjson, models_text
    from swarmctl.client import Client
    from swarmctl.out import data, ink, wide

    with Client(home.find()) as client:
        told = client.ask(m.Models(), m.ModelList)
    found = [row for row in told.models if model in (None, row.model, row.digest)]
    if model is not None and not found:
        have = ", ".join(sorted({row.model for row in told.models})) or "none"
        raise Failure(
            f"no model {model!r}", f"known here: {have}", "swarmctl models info", Exit.NOT_FOUND
        )
    if json:
        data(asjson.line(asjson.models(found, told.confidence)))
    else:
        data(models_text.models(found, wide(), ink(sys.stdout)))
        data("\n" + models_text.confidence(told.confidence, wide(), ink(sys.stdout)))
