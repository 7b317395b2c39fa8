"""python -m tests.fuzz.fuzz [TARGET ...] [--seconds 60]: look for inputs that break something.

It needs atheris (the development extra, on Linux). Each target runs in a process of its own for so
many seconds, from the inputs in tests/fuzz/corpus. An input that breaks a target is left in
tests/fuzz/found/, and belongs into the corpus with the change that mends it. Exit code 1: there
is one.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
INPUT_BYTES_MAX = 4096
"""Of one input. What a megabyte costs is asked by tests/broker/voting/test_growth.py."""

INPUT_S_MAX = 5
"""For one input: a thousand times what is usual."""


def main() -> int:
    """Fuzz each target in turn."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return _fuzz(args.targets[0], args.targets[1], args.seconds)
    broken = [name for name in args.targets or TARGETS if _run(name, args.seconds)]
    print(f"broken: {', '.join(broken) or 'nothing'}")
    return 1 if broken else 0


def _run(name: str, seconds: int) -> int:
    print(f"{name}: {seconds} s", flush=True)
    with tempfile.TemporaryDirectory() as grown:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.fuzz",
            "--one",
            f"--seconds={seconds}",
            name,
            grown,
        ]
        return subprocess.run(command, check=False).returncode


def _fuzz(name: str, grown: str, seconds: int) -> int:
    import atheris

    atheris.instrument_all()
    found = HERE / "found"
    found.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}", f"-timeout={INPUT_S_MAX}",
        f"-artifact_prefix={found}/{name}-", f"-dict={HERE / 'words.dict'}", "-verbosity=1",
        "-print_final_stats=1", grown, str(HERE / "corpus" / name),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()  # ends the process
    return 0


if __name__ == "__main__":
    sys.exit(main())
