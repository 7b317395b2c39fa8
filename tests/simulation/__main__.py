"""python -m tests.simulation --seeds 0:100 --steps 2000 [--nodes 1]: many worlds, one by one.

The last line says what there was, with a digest of all histories. A failing seed prints its
story, cut down to the commands and faults that it needs. Exit code 1: something was violated.
"""

import argparse
import gc
import hashlib
import sys
import time
from collections import Counter, deque

from tests.simulation.dice import FAULTS_PER_S, JOBS_PER_S, Rates
from tests.simulation.minimise import minimise
from tests.simulation.run import Result, replay, roll

STORY_LINES = 60
"""The end of a failing story that is printed."""

SEEDS_COLLECTED = 50
"""Worlds between two collections of garbage: some tens of megabytes."""


def main() -> int:
    """Run what was asked for."""
    args = _arguments()
    first, _, last = args.seeds.partition(":")
    digest, counts = hashlib.blake2b(digest_size=16), Counter[str]()
    began = time.process_time()
    gc.disable()  # worlds are large and short-lived: collected between them, not within
    rates = Rates(args.jobs_per_s, args.faults_per_s)
    for seed in range(int(first), int(last or int(first) + 1)):
        result = roll(seed, args.steps or 1e18, args.nodes, rates, args.seconds or 1e18)
        if seed % SEEDS_COLLECTED == 0:
            gc.collect()
        digest.update(result.history.encode())
        _count(counts, result)
        if result.found:
            _tell(seed, result, args)
        if args.progress and seed % 100 == 99:
            print(f"{seed + 1 - int(first)} seeds, {counts['acknowledged']} jobs", file=sys.stderr)
    cpu_s = time.process_time() - began
    steps_s, jobs_s = counts["steps"] / cpu_s, counts["acknowledged"] / cpu_s
    virtual_s = counts["virtual_s"]
    print(
        f"{cpu_s:.1f} s of CPU for {virtual_s:.0f} virtual s of {args.nodes} nodes: "
        f"{steps_s:.0f} steps/s, {jobs_s:.0f} jobs/s"
    )
    told = [f"{name} {counts[name]}" for name in _COUNTED]
    print(f"history {digest.hexdigest()}  {'  '.join(told)}")
    return 1 if counts["violations"] else 0


_COUNTED = (
    "seeds", "steps", "submitted", "acknowledged", "verdicts", "faults", "restarts", "lost",
    "unexpected", "duplicated", "violations",
)  # fmt: skip


def _count(counts: Counter[str], result: Result) -> None:
    for name in _COUNTED:
        counts[name] += getattr(result, name, 0)
    counts["seeds"] += 1
    counts["virtual_s"] += round(result.virtual_s)
    counts["violations"] += result.found


def _tell(seed: int, result: Result, args: argparse.Namespace) -> None:
    print(f"seed {seed}: {result.violation}")
    if args.no_story:
        return
    short = minimise(result)
    print(f"  {len(result.script.entries)} entries, cut down to {len(short.script.entries)}:")
    for entry in short.script.entries:
        print(f"  {entry}")
    lines: deque[str] = deque(maxlen=STORY_LINES)
    replay(short.script, lines.append)
    print("\n".join(lines))
    print(short.violation, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:100", help="first:last, the last left out; or one")
    parser.add_argument("--steps", type=int, default=0, help="events that cores are told, a seed")
    parser.add_argument("--seconds", type=float, default=0.0, help="virtual seconds, a seed")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--jobs-per-s", type=float, default=JOBS_PER_S, help="of each node")
    parser.add_argument("--faults-per-s", type=float, default=FAULTS_PER_S, help="of each node")
    parser.add_argument("--no-story", action="store_true", help="only name what was violated")
    parser.add_argument("--progress", action="store_true", help="a line for each 100 seeds")
    args = parser.parse_args()
    if not args.steps and not args.seconds:
        args.steps = 2000
    return args


if __name__ == "__main__":
    sys.exit(main())
