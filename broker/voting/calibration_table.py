"""Calibration fitted on recorded votes. Written by `python -m benchmarks.voting.calibrate`."""

SHIPPED: dict[str, tuple[tuple[float, float], ...]] = {}
