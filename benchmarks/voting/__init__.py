"""What the votes are worth, on recorded answers of other people's models.

    python -m benchmarks.voting --data DIR [--json] [--draws N] [--seed S]

Every figure comes from the shipped `broker.voting`, its baselines from the same draws.
"""
