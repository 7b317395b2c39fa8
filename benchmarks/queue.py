"""No-op jobs of 2 kB through our node, beside raw pyzmq and other queues, in one run.

    python -m benchmarks.queue --only raw --reps 5
    python -m benchmarks.queue --python PEERS_VENV/bin/python --json

The harness and the other contenders live outside the project (--peers). It runs every contender
in turn, round by round; here medians over the rounds are taken, and ratios ours / raw.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

PEERS = Path(__file__).parent.parent.parent / "shared" / "bench" / "queue_peers"

OURS = "ours"

RAW = "zmq raw poller ipc"

CONTENDERS = {
    "raw": RAW,
    "jetstream": "nats jetstream file",
    "ray": "ray actor",
    "dramatiq": "dramatiq redis",
    "celery": "celery redis acks late",
    "dask": "dask distributed",
    "ipyparallel": "ipyparallel",
}
"""Short names for --only, and the harness's own names."""

FIELDS = {
    "jobs_s": "jobs_s",
    "cpu_us": "cpu_us_job",
    "p50_us": "p50_us",
    "p99_us": "p99_us",
    "rss_mib": "rss_mib",
}


def main() -> None:
    """Run, then print a table, or with --json one object."""
    args = _arguments()
    names = list(CONTENDERS) if args.only == "all" else args.only.split(",")
    wanted = [CONTENDERS.get(name, name) for name in names]
    runs = _run(args, wanted)
    result = summarise(runs)
    result["machine"] = describe()
    result["reps"] = args.reps
    result["durability"] = args.durability
    if args.json:
        print(json.dumps(result))
    else:
        print(table(result))


def _run(args: argparse.Namespace, wanted: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The harness's raw results, by contender."""
    contender = [sys.executable, "-m", "benchmarks.queue_contender", str(args.peers.resolve())]
    ours = shlex.join([*contender, args.durability])
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [args.python, str(args.peers.resolve() / "run.py"), "--reps", str(args.reps)]
        command += ["--json", str(results), "--only", ",".join([OURS, *wanted])]
        command += ["--add", f"{OURS}={ours}", "--timeout", str(args.timeout)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode or not results.exists():
            raise SystemExit(f"the harness ended with {done.returncode}: see above")
        found: dict[str, list[dict[str, Any]]] = json.loads(results.read_text())
    # --only picks by parts of names: "zmq raw poller ipc" also picks "… credit 1".
    return {name: runs for name, runs in found.items() if name in {OURS, *wanted}}


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of each contender, and the ratios ours / raw, round by round."""
    contenders = {
        name: {
            ours: statistics.median(run[theirs] for run in good) for ours, theirs in FIELDS.items()
        }
        for name, rounds in runs.items()
        if (good := [run for run in rounds if "jobs_s" in run])
    }
    failed = {
        name: rounds[0].get("error", "")[-200:]
        for name, rounds in runs.items()
        if name not in contenders
    }
    result: dict[str, Any] = {"contenders": contenders, "failed": failed}
    if OURS in contenders and RAW in contenders:
        result["ratios"] = ratios(runs[OURS], runs[RAW])
    return result


def ratios(ours: list[dict[str, Any]], raw: list[dict[str, Any]]) -> dict[str, float]:
    """Medians of the ratios within each round, since the machine's speed drifts between rounds."""
    pairs = [(a, b) for a, b in zip(ours, raw, strict=False) if "jobs_s" in a and "jobs_s" in b]
    fields = {"cpu": "cpu_us_job", "jobs": "jobs_s", "p50": "p50_us"}
    return {
        name: round(statistics.median(a[field] / b[field] for a, b in pairs), 3)
        for name, field in fields.items()
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| contender | jobs/s | CPU us/job | p50 us | p99 us | RSS MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, row in sorted(result["contenders"].items(), key=lambda item: item[1]["cpu_us"]):
        cells = " | ".join(f"{row[field]:.0f}" for field in FIELDS)
        lines.append(f"| {name} | {cells} |")
    lines += [
        f"| {name} | failed: {why.splitlines()[-1] if why else ''} | | | | |"
        for name, why in result["failed"].items()
    ]
    if ratios := result.get("ratios"):
        lines.append("")
        lines.append("ours / raw: " + ", ".join(f"{k} {v}" for k, v in ratios.items()))
    return "\n".join([*lines, "", result["machine"]["text"]])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue", description=__doc__)
    parser.add_argument("--only", default="all", help="raw, or a list of contenders; default all")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument(
        "--durability",
        default="none",
        choices=["none", "process", "power"],
        help="what our jobs survive (default: none, as the raw broker's)",
    )
    parser.add_argument("--timeout", type=float, default=150.0, help="seconds for one contender")
    parser.add_argument("--peers", type=Path, default=PEERS, help="folder of the harness")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that has the other queues' packages"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
