"""Calibration fitted on recorded votes. Written by `benchmarks.voting.calibrate`.

For each answer type: (highest smoothed share, probability that the winner is right).
"""

SHIPPED: dict[str, tuple[tuple[float, float], ...]] = {
    "choice": ((0.4, 0.3193), (0.5, 0.368), (0.7, 0.5918), (0.8, 0.777), (0.9, 0.8377)),
    "latex": (
        (0.2, 0.1071),
        (0.3, 0.2284),
        (0.4, 0.2879),
        (0.5, 0.3211),
        (0.7, 0.8902),
        (0.8, 0.9735),
        (0.9, 0.9846),
    ),
    "literal": (
        (0.3, 0.0195),
        (0.4, 0.0741),
        (0.5, 0.0926),
        (0.7, 0.2574),
        (0.8, 0.4312),
        (0.9, 0.5042),
    ),
    "number": (
        (0.2, 0.2401),
        (0.3, 0.5015),
        (0.4, 0.6406),
        (0.6, 0.749),
        (0.7, 0.945),
        (0.8, 0.9565),
        (0.9, 0.9791),
    ),
}
