"""Tokens/s of k seeds of one prompt: through a node, by the engine, one by one, over processes.

    python -m benchmarks.seeds --models abacus,150m,500m --k 1,2,4,8,16

All contenders are loaded at once and measured in turn, round by round, so that a busy moment of
the machine meets them all; figures are medians over the rounds. Each wave has a prompt of its own,
so nothing computed before helps. Answers have at most --tokens tokens; prefill counts as time.
150m, 500m and 1500m are random weights in Q8_0, written by benchmarks.random_model; with --engine
mlx in 8 bits, by benchmarks.random_folder. The path of a GGUF file is taken as it is.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import random_folder, random_model
from benchmarks.machine import describe
from benchmarks.seeds_contenders import Contender, Measured, Setting, opened
from detect import gguf
from detect.model import from_header
from worker.engines import ABACUS, ABACUS_FOLDER
from worker.engines.llamacpp.threads import threads_for

CONTENDERS = ("engine", "sequential", "processes", "node")
KIND = "Q8_0"
KIND_MLX = "8bit"
WARM_UP = "Warm up: 1 + 1 ="
ABACUS_PARAMETERS = 869_504

Rows = dict[str, dict[str, float | None]]


def main() -> None:
    """Measure, then print a table, or JSON alone."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the node that was started ends too
    result: dict[str, Any] = {"machine": describe(), "settings": _settings(given), "models": {}}
    with tempfile.TemporaryDirectory(prefix="swarm-models-") as folder:
        for name in given.models:
            path, parameters = _model(name, Path(folder), given.engine)
            setting = Setting(
                model=str(path),
                engine=given.engine,
                slots=max(given.k),
                threads=given.threads or threads_for(parameters),
                tokens_max=given.tokens,
            )
            rows = _measure(setting, given)
            result["models"][name] = rows
            if not given.json:
                print(_table(name, setting, rows, given.contenders), flush=True)
    result["ratios"] = {name: _ratios(rows) for name, rows in result["models"].items()}
    print(json.dumps(result, indent=2) if given.json else _summary(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.seeds", description=__doc__)
    parser.add_argument("--models", type=_words, default=["abacus", "150m", "500m"])
    parser.add_argument("--k", type=_numbers, default=[1, 2, 4, 8, 16])
    parser.add_argument("--engine", default="llamacpp")
    parser.add_argument("--contenders", type=_words, default=list(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=32, help="the most of one answer")
    parser.add_argument("--threads", type=int, help="default: what the engine takes by itself")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _words(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(","))


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "engine": given.engine,
        "rounds": given.rounds,
        "tokens": given.tokens,
        "random_models": KIND_MLX if given.engine == "mlx" else KIND,
    }


def _model(name: str, folder: Path, engine: str) -> tuple[Path, int]:
    """The file or folder of a model's name and its number of weights; a random one is written."""
    mlx = engine == "mlx"
    if name == "abacus":
        return ABACUS_FOLDER if mlx else ABACUS, ABACUS_PARAMETERS
    if name.endswith(".gguf"):
        return Path(name), from_header(gguf.read(Path(name))).parameters
    if name not in random_model.SHAPES:
        sys.exit(f"no model {name}: use abacus, {', '.join(random_model.SHAPES)} or a .gguf file")
    shape = random_model.SHAPES[name]
    print(f"writing {name} …", file=sys.stderr)
    if mlx:
        path = folder / name
        random_folder.write(path, shape, KIND_MLX)
    else:
        path = folder / f"{name}.gguf"
        random_model.write(path, shape, KIND)
    return path, shape.parameters


def _measure(setting: Setting, given: argparse.Namespace) -> Rows:
    """Medians by k and contender, over the rounds."""
    waves: dict[tuple[int, str], list[Measured]] = {}
    with opened(setting, given.contenders) as contenders:
        for contender in contenders.values():
            contender.measure(WARM_UP, _seeds(0, max(given.k)))
        for turn in range(given.rounds):
            for k in given.k:
                for name, contender in contenders.items():
                    done = _wave(contender, turn, k)
                    waves.setdefault((k, name), []).append(done)
            print(f"round {turn + 1} of {given.rounds}", file=sys.stderr)
    rows: Rows = {}
    for k in given.k:
        row: dict[str, float | None] = {
            name: round(statistics.median(w.tokens_s for w in waves[k, name]), 1)
            for name in given.contenders
        }
        direct = waves.get((k, "engine"), [])
        row["prefilled"] = statistics.median(w.prefilled for w in direct) if direct else None
        rows[str(k)] = row
    return rows


def _wave(contender: Contender, turn: int, k: int) -> Measured:
    """One wave, with a prompt that no contender has seen: its number comes first."""
    number = 100 * turn + k
    prompt = (
        f"{number % 90 + 9} apples and {turn + 2} boxes: Tom buys {k + 1} boxes of 6 apples and "
        f"gives away {turn + 3}. Then he finds {k % 7 + 2} more. How many apples does Tom have?"
    )
    return contender.measure(prompt, _seeds(number, k))


def _seeds(first: int, k: int) -> list[int]:
    return [1000 * first + at for at in range(k)]


def _ratios(rows: Rows) -> dict[str, float | None]:
    """What the design promises of eight seeds, and of the node; None where it was not measured."""

    def ratio(one: tuple[str, str], other: tuple[str, str]) -> float | None:
        above, below = (rows.get(k, {}).get(name) for k, name in (one, other))
        return round(above / below, 2) if above and below else None

    found = {}
    for name in ("engine", "node"):
        found[f"{name}_8_over_{name}_1"] = ratio(("8", name), ("1", name))
        found[f"{name}_8_over_sequential_8"] = ratio(("8", name), ("8", "sequential"))
        found[f"{name}_8_over_processes_8"] = ratio(("8", name), ("8", "processes"))
    for k in rows:
        found[f"node_{k}_over_engine_{k}"] = ratio((k, "node"), (k, "engine"))
    return found


def _table(name: str, setting: Setting, rows: Rows, contenders: Sequence[str]) -> str:
    columns = [*contenders, "prefilled"]
    lines = [
        f"\n{name}: tokens/s of all seeds together ({setting.threads} threads)",
        "   k" + "".join(f"{column:>12}" for column in columns),
    ]
    lines += [
        f"{k:>4}" + "".join(f"{row[column] or 0:>12.0f}" for column in columns)
        for k, row in rows.items()
    ]
    return "\n".join(lines)


def _summary(result: dict[str, Any]) -> str:
    lines = [""]
    for name, ratios in result["ratios"].items():
        told = ", ".join(f"{key} {value}" for key, value in ratios.items() if value is not None)
        lines.append(f"{name}: {told}")
    return "\n".join([*lines, "", result["machine"]["text"]])


if __name__ == "__main__":
    main()
