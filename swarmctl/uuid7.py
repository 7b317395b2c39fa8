"""Job ids: UUID version 7 (RFC 9562, 5.7), so that ids sort by the time they were made.

The client makes the id, so that it can say SUBMIT again and mean the same job.
"""

import os
import time

from protocol.ids import JobId


def uuid7(unix_ms: int, dice: int) -> str:
    """The text form of 48 bits of time and 74 bits of `dice`."""
    time_bits = (unix_ms & (1 << 48) - 1) << 80
    high = (dice >> 62 & 0xFFF) << 64
    low = dice & (1 << 62) - 1
    text = f"{time_bits | 7 << 76 | high | 2 << 62 | low:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def job_id() -> JobId:
    """A new id, of this moment."""
    return JobId(uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10))))
