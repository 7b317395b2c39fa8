"""Sizes and sums as people read them."""

from detect.placement.result import Sum

GIB = 1 << 30
MIB = 1 << 20


def size(count: int) -> str:
    """Write bytes with the unit that leaves three digits: 3.64 GiB, 512 MiB."""
    if abs(count) >= GIB:
        return f"{count / GIB:.2f} GiB"
    if abs(count) >= 10 * MIB:
        return f"{count / MIB:.0f} MiB"
    return f"{count / MIB:.1f} MiB"


def plural(count: int, noun: str) -> str:
    """`1 slot`, `2 slots`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def total(row: Sum) -> str:
    """Write a sum so that it can be redone by hand."""
    parts = (
        ("weights", row.weight_bytes),
        ("KV", row.cache_bytes),
        ("state", row.state_bytes),
        ("compute", row.compute_bytes),
        ("process", row.process_bytes),
    )
    said = " + ".join(f"{name} {size(count)}" for name, count in parts if count)
    if row.measured_bytes:
        said = f"measured before ({said} predicted)"
    relation = "of" if row.fits else "over"
    return f"{said} = {size(row.total_bytes)} {relation} {size(row.budget_bytes)} on {row.place}"
