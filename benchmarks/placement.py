"""Planned against real memory: each worker of a plan is loaded for real and read back.

    python -m benchmarks.placement --published --sampled 24

Every model is a file with a real header and zeros for weights (benchmarks.shapes), planned on this
machine and loaded by the worker's own code in a process of its own, which then computes a full
context and a batch of all its slots, so that whatever is taken on first use has been taken. Real
bytes of a device are NVML's for that process; what llama.cpp logs is the part of it in its buffers.
Main memory is what the process holds beside mapped files.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import environ
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import shapes
from benchmarks.machine import describe
from benchmarks.placement_load import Taken
from detect import gguf, machine
from detect.confirm import confirm
from detect.facts import Machine
from detect.model import Model, from_header
from detect.placement import plan
from detect.placement.budget import MAIN_MEMORY
from detect.placement.result import Limits, PlannedWorker, Sum
from detect.placement.words import size

SAMPLE_SEED = 11
LOAD_S = 300.0  # one load: some gigabytes from a file that is mostly a hole
TIGHT_SHARE = 0.5  # of what the whole model takes: what a smaller card would have


class Wanted(msgspec.Struct, frozen=True):
    """One way to ask for a model."""

    name: str
    limits: Limits
    tight: bool = False  # only half of the whole model's bytes are free


CALLER = Limits(quantised_cache=True, keep_experts=True, workers=1)


class Row(msgspec.Struct, frozen=True):
    """One load; sizes in bytes. Of the devices where layers are there, else of main memory."""

    model: str
    way: str
    layers: int  # -1: all
    experts_in_main_memory: bool
    planned: int
    confirmed: int  # the plan's sums after llama.cpp's own layout
    real: int  # 0 where nobody tells
    beyond: int | None  # of devices: what is in none of llama.cpp's buffers
    driver_planned: int  # of devices: how much of that was planned
    host_planned: int  # main memory, save weights (pages of a file) and prompts kept
    host_real: int
    notes: tuple[str, ...] = ()


def main() -> None:
    """Measure, then print a table, or JSON alone."""
    given = _arguments()
    here = machine.here()
    with tempfile.TemporaryDirectory(prefix="swarm-shapes-") as folder:
        asked = list(_asked(here, Path(folder), given))
        with ThreadPoolExecutor(given.at_once) as pool:
            rows = [row for row in pool.map(lambda one: _row(here, *one), asked) if row]
    if given.json:
        told = {"machine": describe(), "rows": msgspec.to_builtins(rows)}
        print(json.dumps(told, indent=2))
    else:
        print(_table(rows), _summary(rows), describe()["text"], sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.placement", description=__doc__)
    parser.add_argument("--published", action="store_true", help="shapes of models people run")
    parser.add_argument("--sampled", type=int, default=0, help="random shapes of every family")
    parser.add_argument("--context", type=int, default=4096, help="tokens; twice and half as well")
    parser.add_argument("--at-once", type=int, default=4, help="loads beside each other")
    parser.add_argument("--split", help="tensor_split over all devices, in place of the three ways")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _asked(
    here: Machine, folder: Path, given: argparse.Namespace
) -> Iterator[tuple[str, str, Model, PlannedWorker]]:
    """Every worker to load, planned."""
    for name, dims in _dims(given):
        model = from_header(gguf.read(shapes.write(folder, dims)))
        for way in _ways(given.context, given.split):
            got = plan(here, model, _limits(here, model, way))
            if got.workers:
                yield name, way.name, model, got.workers[0]
            else:
                print(f"{name} {way.name}: {got.error}", file=sys.stderr)


def _dims(given: argparse.Namespace) -> list[tuple[str, shapes.Dims]]:
    named = list(shapes.PUBLISHED.items()) if given.published else []
    return named + [(dims.name, dims) for dims in shapes.sample(SAMPLE_SEED)[: given.sampled]]


def _ways(context: int, split: str | None) -> Sequence[Wanted]:
    def ask(slots: int, tokens: int, **more: Any) -> Limits:
        return msgspec.structs.replace(CALLER, slots=slots, context_tokens=tokens, **more)

    if split:
        shares = tuple(float(share) for share in split.split(","))
        return (Wanted(f"split {split}", ask(8, context, tensor_split=shares)),)
    return (
        Wanted("whole", ask(8, context)),
        Wanted("quantised", ask(16, 2 * context, kv_type="q8_0")),
        Wanted("part", ask(4, context // 2), tight=True),
    )


def _limits(here: Machine, model: Model, way: Wanted) -> Limits:
    """For a tight way, all devices seem to be promised to others but for half of the need."""
    whole = plan(here, model, way.limits).workers
    if not way.tight or not whole or not whole[0].devices:
        return way.limits
    need = whole[0].sums[0].total_bytes
    budgets = {device.id: device.free_bytes or 0 for device in here.devices}
    spare = whole[0].sums[0].budget_bytes - int(TIGHT_SHARE * need)
    return msgspec.structs.replace(way.limits, promised=dict.fromkeys(budgets, spare))


def _row(here: Machine, name: str, way: str, model: Model, worker: PlannedWorker) -> Row | None:
    """Load one worker in a process of its own."""
    checked = confirm(here, model, worker)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.placement_load"],
        input=msgspec.json.encode(worker),
        env={**environ, **worker.env},
        capture_output=True,
        timeout=LOAD_S,
        check=False,
    )
    if done.returncode:
        print(f"{name} {way}: {_why(done)}", file=sys.stderr)
        return None
    taken = msgspec.json.decode(done.stdout, type=Taken)
    host_planned = _host(worker.sums) - worker.prefix_bytes
    on_devices = worker.gpu_layers != 0
    return Row(
        model=name,
        way=way,
        layers=worker.gpu_layers,
        experts_in_main_memory=worker.experts_in_main_memory,
        planned=_devices(worker.sums) if on_devices else host_planned,
        confirmed=_devices(checked.worker.sums)
        if on_devices
        else _host(checked.worker.sums) - worker.prefix_bytes,
        real=taken.device_bytes if on_devices else taken.anonymous_bytes,
        beyond=taken.device_bytes - taken.on_devices if on_devices else None,
        driver_planned=sum(row.process_bytes for row in worker.sums if row.place != MAIN_MEMORY),
        host_planned=host_planned,
        host_real=taken.anonymous_bytes,
        notes=((checked.error,) if checked.error else ()) + checked.notes,
    )


def _devices(sums: Sequence[Sum]) -> int:
    return sum(row.total_bytes for row in sums if row.place != MAIN_MEMORY)


def _host(sums: Sequence[Sum]) -> int:
    return sum(row.total_bytes - row.weight_bytes for row in sums if row.place == MAIN_MEMORY)


def _why(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What a load that failed said last, or the library's own word of why it ended the process."""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    told = [at for at, line in enumerate(said) if "GGML_ASSERT" in line or "error" in line.lower()]
    if told:  # CUDA's own word for it stands in the next line
        return " ".join(line.strip() for line in said[told[0] : told[0] + 2])
    return (said or [f"exit code {done.returncode}"])[-1]


def _table(rows: Sequence[Row]) -> str:
    head = ("model", "way", "layers", "planned", "confirmed", "real", "plan/real", "beyond buffers")
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for row in rows:
        layers = {-1: "all", 0: "CPU"}.get(row.layers, str(row.layers))
        layers += ", experts beside" if row.experts_in_main_memory else ""
        share = f"{row.planned / row.real:.3f}" if row.real else "-"
        beyond = "-" if row.beyond is None else size(row.beyond)
        sizes = [size(row.planned), size(row.confirmed), size(row.real), share, beyond]
        cells = [row.model, row.way, layers, *sizes]
        lines.append(" | ".join(cells + [f"({'; '.join(row.notes)})"] * bool(row.notes)))
    return "\n".join(lines)


def _summary(rows: Sequence[Row]) -> str:
    """The shares and differences that say whether the reserve is enough."""
    known = [row for row in rows if row.real]
    if not known:
        return f"{len(rows)} loads, none with real figures"
    figures: dict[str, Any] = {
        "planned / real": [row.planned / row.real for row in known],
        "confirmed / real": [row.confirmed / row.real for row in known],
    }
    lines = [f"{len(known)} loads"]
    for name, values in figures.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        lines.append(f"{name}: least {low:.3f}, median {middle:.3f}, most {high:.3f}")
    short = max(row.real - row.planned for row in known)
    lines.append(f"real beyond planned, at most: {size(max(short, 0))}")
    beyond = [(row.beyond, row.driver_planned) for row in known if row.beyond is not None]
    if beyond:
        least, (most, planned) = min(beyond)[0], max(beyond)
        lines.append(
            "beyond llama.cpp's buffers (driver context, pools): "
            f"{size(least)} to {size(most)}, {size(planned)} planned"
        )
    host = max(row.host_real - row.host_planned for row in known)
    lines.append(f"main memory beyond planned, at most: {size(max(host, 0))}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
