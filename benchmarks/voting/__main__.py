"""Every figure of `voting` in one run; see the package's docstring for the options."""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.voting import calibrating, cut, parallel, picks, programs, speed, stopping, weighted
from benchmarks.voting.data import boinf
from swarmctl.sandbox import NoSandbox

CUT_DRAWS = 5
"""Times --draws: there are few questions in that file, and a draw costs little."""

Part = Callable[[], dict[str, float]]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voting", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of recorded votes")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--draws", type=int, default=8, help="draws per question")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-code", action="store_true", help="run no programs")
    args = parser.parse_args()
    started = time.monotonic()
    figures: dict[str, float] = {}
    notes: list[str] = []
    for name, part in parts(args).items():
        sys.stderr.write(f"{name} …\n")
        try:
            figures |= part()
        except NoSandbox as refusal:
            notes.append(f"{name}: not measured, {refusal}")
    report = {
        "figures": {name: round(value, 4) for name, value in figures.items()},
        "notes": notes,
        "settings": {"draws": args.draws, "seed": args.seed, "seconds": time.monotonic() - started},
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "msgspec": msgspec.__version__,
        },
    }
    if args.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    for name, value in figures.items():
        sys.stdout.write(f"{name:28} {value:9.3f}\n")
    for note in [*notes, json.dumps(report["settings"]), json.dumps(report["machine"])]:
        sys.stdout.write(f"{note}\n")


def parts(args: argparse.Namespace) -> dict[str, Part]:
    """What is measured, in order."""
    data, draws, seed = args.data, args.draws, args.seed
    questions = boinf(data)
    found: dict[str, Part] = {
        "speed": lambda: speed.figures(seed),
        "picks": lambda: picks.figures(data, draws, seed),
        "stopping": lambda: stopping.figures(questions, draws, seed),
        "parallel": lambda: parallel.figures(questions, draws, seed),
        "parallel, short answers": lambda: parallel.short_figures(data, draws, seed),
        "weighted": lambda: weighted.figures(data, seed),
        "cut": lambda: cut.figures(data, CUT_DRAWS * draws, seed),
        "calibration": lambda: calibrating.figures(
            calibrating.recorded_verdicts(data, draws, seed), seed
        ),
        "code": lambda: programs.figures(data, seed),
    }
    if args.skip_code:
        del found["code"]
    return found


if __name__ == "__main__":
    main()
