"""Fit the shipped calibration on recorded votes, and write it as a module.

python -m benchmarks.voting.calibrate --data DIR
"""

import argparse
from pathlib import Path

from benchmarks.voting.calibrating import recorded_verdicts
from broker.voting import calibration_table
from broker.voting.calibration import fit

SIZES = (1, 3, 5, 8, 16)
"""Seats of the jobs that are fitted on, as people ask for them."""

DRAWS = 4


def main() -> None:
    """Overwrite `broker/voting/calibration_table.py`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    recorded = recorded_verdicts(args.data, DRAWS, args.seed, SIZES)
    lines = [
        '"""Calibration fitted on recorded votes. Written by `benchmarks.voting.calibrate`.',
        "",
        "For each answer type: (highest smoothed share, probability that the winner is right).",
        '"""',
        "",
        "SHIPPED: dict[str, tuple[tuple[float, float], ...]] = {",
    ]
    for kind in sorted({r.answer_type for r in recorded}):
        table = fit(r.record for r in recorded if r.answer_type == kind)
        steps = ", ".join(f"({bound}, {p})" for bound, p in table)
        lines.append(f'    "{kind}": ({steps}),')
    target = Path(calibration_table.__file__)
    target.write_text("\n".join([*lines, "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
