"""The command line: mounts the commands, words every error once, sets the exit code."""

import sys
from typing import Annotated, Any

import typer

from swarmctl import config, jobs, nodes, submit, up
from swarmctl.exits import Exit, Failure

# Rich would cost a third of the time that --help may take; plain help says the same.
app = typer.Typer(
    help="Ask every small model in the house, count the answers, return one verdict.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(submit.submit)
app.command()(up.up)
for command in (nodes.down, nodes.scale, nodes.status, nodes.workers, config.config):
    app.command()(command)
app.add_typer(jobs.app, name="jobs")

# Typer keeps Click's exceptions private; every one that a user can cause is one of these.
(UsageError,) = typer.BadParameter.__bases__


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"swarmctl {version('local-swarm')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
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
    try:
        code = app(prog_name="swarmctl", standalone_mode=False)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except typer.Abort:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _nobody_reads()
    except Exception as error:
        return _fail(error)
    return code if isinstance(code, int) else Exit.DONE


def _fail(error: Exception) -> int:
    """Word an expected failure; anything else is a bug and is raised."""
    from detect.home import HomeError
    from detect.settings import SettingsError
    from swarmctl.out import fail

    match error:
        case Failure():
            failure = error
        case SettingsError():
            code = Exit.USAGE if error.by_flag else Exit.CONFIGURATION
            failure = Failure(error.seen, error.because, error.hint, code)
        case HomeError():
            failure = Failure(error.seen, "", error.hint, Exit.CONFIGURATION)
        case _ if isinstance(error, UsageError):
            failure = _usage(error)
        case _:
            raise error
    fail(failure)
    return failure.code


def _usage(error: Any) -> Failure:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "swarmctl"
    return Failure(error.format_message(), "", f"{path} --help", Exit.USAGE)


def _nobody_reads() -> int:
    """Stdout was closed, as by `head`. Python would complain once more when it flushes."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
