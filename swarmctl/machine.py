"""`swarmctl detect`, `plan` and `doctor`: what is here, what would run, and what is wrong."""

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl import options as o
from swarmctl.exits import Exit, Failure, wrong

if TYPE_CHECKING:
    from detect.facts import Machine
    from detect.model import Model
    from detect.placement import Plan
    from detect.record import Record
    from detect.settings import Settings

Root = Annotated[
    str,
    typer.Option(
        "--root",
        help="Read a recorded machine instead of this one: a file of --record, or a folder with "
        "copies of /proc and /sys.",
        metavar="PATH",
    ),
]
Keep = Annotated[
    str,
    typer.Option(
        "--record", help="Write what was read, redacted, for a bug report.", metavar="FILE"
    ),
]
NoSeeds = Annotated[
    bool,
    typer.Option("--no-seed-variation", help="One slot each: votes come from several workers."),
]
Exact = Annotated[
    bool | None,
    typer.Option(
        "--exact/--no-exact",
        help="Let llama.cpp lay it out, without loading it; half a second. "
        "[as `up` does: here, and for all but tiny models]",
    ),
]


def detect(json: o.Json = False, record: Keep = "", root: Root = "") -> None:
    """Show what this machine has, and what is wrong with it.

    Its processors, memory, devices and engines.
    """
    import msgspec

    from swarmctl import asjson, machine_text
    from swarmctl.out import data, ink, talk, wide

    answers = _answers(root)
    if record:
        _write(record, answers)
        talk(f"written to {record}; names, home folders, serial numbers and UUIDs are taken out")
    found = _facts(answers)
    if json:
        data(asjson.line(msgspec.to_builtins(found)))
    else:
        data(machine_text.machine(found, wide(), ink(sys.stdout)))


def plan(
    *,
    model: o.Load = None,
    engine: o.Engine = None,
    workers: o.Workers = None,
    slots: o.Slots = None,
    gpu_layers: o.GpuLayers = None,
    tensor_split: o.TensorSplit = None,
    context: o.Context = None,
    no_seed_variation: NoSeeds = False,
    integrated: o.Integrated = None,
    exact: Exact = None,
    root: Root = "",
    json: o.Json = False,
) -> None:
    """Show what would run here, and why.

    And each way that was refused, with its sum.
    """
    import os

    from detect import home, loads, settings
    from detect.confirm import settled
    from detect.placement.asked import limits_of

    flags = {
        "model": model,
        "engine": engine,
        "workers": workers,
        "slots": slots,
        "gpu_layers": gpu_layers,
        "tensor_split": tensor_split,
        "context": context,
        "integrated": integrated,
    }
    chosen = settings.load(home.find(), os.environ, flags)
    _refuse_unplanned(chosen, exact=bool(exact and root))
    limits = limits_of(chosen, seed_variation=not no_seed_variation)
    known = model_facts(chosen.model, chosen.engine)
    here = _facts(_answers(root))
    if root:
        known = _as_there(chosen, known, here)
    else:
        limits = loads.with_known(limits, home.find(), known)
    got = settled(here, known, limits, exact=False if root else exact)
    _show(got, known, json)
    if got.error:
        code = Exit.USAGE if got.fault == "usage" else Exit.NO_ROOM
        raise Failure(got.error, "", got.hint, code)


def _refuse_unplanned(chosen: "Settings", *, exact: bool) -> None:
    """`exact`: whether a recorded machine shall be asked exactly. Raises Failure."""
    if exact:
        because = "llama.cpp can lay out a load on this machine only"
        raise wrong("--exact with --root", because, "leave --exact out")
    if chosen.engine == "scripted" or chosen.model.startswith("scripted:"):
        because = "it loads no model: up starts as many workers and slots as are set"
        raise wrong("the engine scripted is not planned", because, "--engine auto --model MODEL")


def _as_there(chosen: "Settings", known: "Model", there: "Machine") -> "Model":
    """The model in the form that the engine of a recorded machine loads."""
    from detect import forms

    if chosen.engine != "auto":
        return known
    engine = forms.engine_of(chosen.model, [one.name for one in there.engines])
    return model_facts(chosen.model, engine)


def _show(got: "Plan", known: "Model", json: bool) -> None:
    import msgspec

    from swarmctl import asjson, machine_text
    from swarmctl.out import data, ink

    if json:
        data(asjson.line({"model": known.name, "path": known.path, **msgspec.to_builtins(got)}))
    elif text := machine_text.plan(got, known.name, ink(sys.stdout)):
        data(text)


def doctor(json: o.Json = False) -> None:
    """Check all that a node needs; each fault with its mend."""
    import msgspec

    from detect import seen
    from detect.doctor import examine, worst
    from detect.machine import here
    from swarmctl import asjson, machine_text
    from swarmctl.out import Progress, data, ink, talk

    with Progress("looking"):
        found = examine(here(), seen.look())
    gravest = worst(found)
    if json:
        data(asjson.line({"worst": gravest, "checks": msgspec.to_builtins(found)}))
    else:
        data(machine_text.checks(found, ink(sys.stdout)))
        talk(machine_text.summary(found))
    if gravest == "fail":
        raise typer.Exit(Exit.FAILED)


def _answers(root: str) -> "Record":
    from pathlib import Path

    import msgspec

    from detect import machine as detected

    if not root or Path(root).absolute() == Path("/"):
        return detected.record()

    try:
        return detected.load_recorded(Path(root))
    except (OSError, msgspec.DecodeError, ValueError) as error:
        hint = "a file of swarmctl detect --record, or a folder with copies of /proc and /sys"
        raise wrong(f"{root} is no recorded machine", str(error), hint) from error


def _facts(answers: "Record") -> "Machine":
    """The machine's facts; a record may come from a stranger, and is shown on a terminal."""
    import msgspec

    from detect.facts import Machine
    from detect.host import RecordedHost
    from detect.machine import detect as detected
    from swarmctl.text import safe_all

    found = detected(RecordedHost(answers))
    return msgspec.convert(safe_all(msgspec.to_builtins(found)), Machine)


def _write(path: str, answers: "Record") -> None:
    import getpass
    import platform
    from pathlib import Path

    from detect.record import dump

    names = [platform.node(), platform.node().split(".")[0]]
    with contextlib.suppress(KeyError, OSError, ImportError):  # an account without a name
        names.append(getpass.getuser())
    try:
        Path(path).write_bytes(dump(answers, names) + b"\n")
    except OSError as error:
        because = error.strerror or str(error)
        raise Failure(f"cannot write {path}", because, "--record ANOTHER") from error


def model_facts(name: str, engine: str = "auto") -> "Model":
    """A model's facts; abacus in the form that the engine loads. Raises Failure when it is none."""
    from pathlib import Path

    from detect import forms, gguf, mlx_model, model

    path = forms.built_in(engine) if name == forms.BUILT_IN else Path(name)
    try:
        return mlx_model.read(path) if path.is_dir() else model.from_header(gguf.read(path))
    except OSError as error:
        raise Failure(
            f"cannot read the model {path}",
            error.strerror or str(error),
            "name a .gguf file, a folder in MLX form, or abacus",
            Exit.NOT_FOUND,
        ) from error
    except (gguf.Malformed, ValueError) as error:
        hint = "name a .gguf file, a folder in MLX form, or abacus"
        raise wrong(f"{path} is no model", str(error), hint) from error
