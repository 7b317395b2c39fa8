"""What a journal costs: no-op jobs of 2 kB through our node, by durability, beside its peers.

    python -m benchmarks.journal --only raw --reps 5
    python -m benchmarks.journal --python PEERS_VENV/bin/python --json

Ours with `none`, `process` and `power`, results kept until the client has said ACK, beside the raw
pyzmq broker with the journals of the harness and NATS JetStream with file storage. As in
`benchmarks.queue`, the harness runs all in turn, and ratios are taken within each round.
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

from benchmarks import queue
from benchmarks.machine import describe

OURS = {f"ours {durability}": durability for durability in ("none", "process", "power")}

RAW = "raw none"

RAW_JOURNALS = ("none", "sqlite-normal+res", "sqlite-full+res")
"""Of the harness's raw broker: written at acceptance and completion, deleted at acknowledgement."""

JETSTREAM = "nats jetstream file"


def main() -> None:
    """Run, then print a table, or with --json one object."""
    args = _arguments()
    runs = _run(args)
    result = summarise(runs)
    result["machine"] = describe()
    result["reps"] = args.reps
    print(json.dumps(result) if args.json else table(result))


def _run(args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """The harness's raw results, by contender."""
    peers = str(args.peers.resolve())
    added = {
        name: shlex.join([sys.executable, "-m", "benchmarks.queue_contender", peers, durability])
        for name, durability in OURS.items()
    }
    raw = f"{shlex.quote(args.python)} {{c}}/zmq_raw.py poller ipc 32"
    added |= {f"raw {journal}": f"env QB_JOURNAL={journal} {raw}" for journal in RAW_JOURNALS}
    wanted = [*added, *([JETSTREAM] if args.only == "all" else [])]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [args.python, f"{peers}/run.py", "--reps", str(args.reps)]
        command += ["--json", str(results), "--only", ",".join(wanted)]
        command += ["--timeout", str(args.timeout)]
        for name, text in added.items():
            command += ["--add", f"{name}={text}"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode or not results.exists():
            raise SystemExit(f"the harness ended with {done.returncode}: see above")
        found: dict[str, list[dict[str, Any]]] = json.loads(results.read_text())
    return {name: runs for name, runs in found.items() if name in wanted}


def summarise(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of each contender; `process` and `power` as ratios of raw without a journal.

    `ratios` are those of `process`; `jetstream` holds our jobs/s as a share of JetStream's.
    """
    result = queue.summarise(runs)
    ratios = {
        durability: queue.ratios(runs[name], runs[RAW])
        for name, durability in OURS.items()
        if name in result["contenders"] and RAW in result["contenders"]
    }
    result["by_durability"] = ratios
    result["ratios"] = ratios.get("process", {})
    for rival in (JETSTREAM, "raw sqlite-normal+res"):
        if rival in result["contenders"] and "ours process" in result["contenders"]:
            pairs = zip(runs["ours process"], runs[rival], strict=False)
            shares = [
                a["jobs_s"] / b["jobs_s"] for a, b in pairs if "jobs_s" in a and "jobs_s" in b
            ]
            result.setdefault("jobs_share", {})[rival] = round(statistics.median(shares), 3)
    return result


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [queue.table(result)]
    for durability, ratios in result["by_durability"].items():
        shown = ", ".join(f"{name} {value}" for name, value in ratios.items())
        lines.append(f"ours {durability} / raw none: {shown}")
    for rival, share in result.get("jobs_share", {}).items():
        lines.append(f"jobs/s, ours process / {rival}: {share}")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--only", default="all", choices=["all", "raw"], help="raw: no JetStream")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=150.0, help="seconds for one contender")
    parser.add_argument("--peers", type=Path, default=queue.PEERS, help="folder of the harness")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that has the peers' packages"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
