"""The command line: mounts the commands, words every error once, sets the exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from swarmctl import config, evaluate, jobs, machine, models, nodes, streams, submit, up
from swarmctl.exits import Exit, Failure, wrong

# Typer keeps Click's exceptions private; every one that a user can cause is one of these.
(UsageError,) = typer.BadParameter.__bases__


class _QuickHelp:
    """A --help whose absence is False, not None: typer 0.29 imports pydantic to check a None."""

    def get_help_option(self, context: Any) -> Any:
        option = super().get_help_option(context)  # type: ignore[misc]
        if option is not None:
            option.default = False
        return option


class _Command(_QuickHelp, TyperCommand):
    pass


class _Group(_QuickHelp, TyperGroup):
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            raise _no_command(args[0], ctx.command_path, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def _no_command(name: str, path: str, known: list[str]) -> Failure:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    hint = f"{path} {near[0]}" if near else f"{path} --help"
    return wrong(f"No such command {name!r}", f"there is {', '.join(known)}", hint)


COMMANDS = (
    submit.submit, up.up, nodes.down, nodes.scale, nodes.status, nodes.workers, config.config,
    machine.detect, machine.plan, machine.doctor,
)  # fmt: skip

COMPLETE = "_SWARMCTL_COMPLETE"
"""Set by a shell that wants completions."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"swarmctl {version('local-swarm')}")
        raise typer.Exit


def build(arguments: Sequence[str]) -> typer.Typer:
    """The commands, ready to be called with these arguments."""
    app = typer.Typer(
        help="Ask every small model in the house, count the answers, return one verdict.",
        cls=_Group,
        # Rich would cost a third of the time that --help may take. The options of completion,
        # which stand before any command, would cost `status` as much, through pydantic.
        rich_markup_mode=None,
        add_completion=not arguments or arguments[0].startswith("-") or COMPLETE in os.environ,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_start)
    for command in COMMANDS:
        app.command(cls=_Command)(command)
    app.command("eval", cls=_Command)(evaluate.evaluate)
    app.add_typer(jobs.app, name="jobs", cls=_Group)
    app.add_typer(models.app, name="models", cls=_Group)
    return app


def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> int:
    """Run the command line that this process was given; its exit code."""
    streams.open_all()
    try:
        code = build(sys.argv[1:])(prog_name="swarmctl", standalone_mode=False)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except typer.Abort:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        streams.let_go()  # stdout was closed, as by `head`
        return Exit.FAILED
    except Exception as error:
        return _fail(error)
    return code if isinstance(code, int) else Exit.DONE


def _fail(error: Exception) -> int:
    """Word an expected failure; anything else is a bug and is raised."""
    from detect.home import HomeError
    from detect.tables import SettingsError
    from swarmctl.out import fail

    match error:
        case Failure():
            failure = error
        case SettingsError():
            code = Exit.USAGE if error.by_flag else Exit.CONFIGURATION
            failure = Failure(error.seen, error.because, error.hint, code)
        case HomeError():
            failure = Failure(error.seen, error.because, error.hint, Exit.CONFIGURATION)
        case _ if isinstance(error, UsageError):
            failure = _usage(error)
        case _:
            raise error
    fail(failure)
    return failure.code


def _usage(error: Any) -> Failure:
    context = getattr(error, "ctx", None)
    if context is None:
        return wrong(error.format_message(), "that is no use of it", "swarmctl --help")
    path, takes = context.command_path, " ".join(context.command.collect_usage_pieces(context))
    return wrong(error.format_message(), f"it is used as {path} {takes}", f"{path} --help")


if __name__ == "__main__":
    sys.exit(main())
