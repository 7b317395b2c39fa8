"""How many threads pay: one for each physical core this process may use, one for tiny models."""

import os
from pathlib import Path

SMALL_PARAMETERS = 20_000_000  # below, waiting for the other thread costs more than it computes
TOPOLOGY = Path("/sys/devices/system/cpu")


def threads_for(parameters: int) -> int:
    """The default number of threads for a model of this many parameters."""
    return 1 if parameters < SMALL_PARAMETERS else physical_cores()


def physical_cores(topology: Path = TOPOLOGY) -> int:
    """The physical cores among the processors this process may run on; at least 1.

    Two hyper-threads of one core share its arithmetic units: a second thread there only waits.
    """
    processors = _usable()
    cores = {_siblings(topology, processor) for processor in processors}
    return max(1, len(cores))


def _usable() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _siblings(topology: Path, processor: int) -> str:
    """The list of a processor's hyper-threads, or a name of its own where none can be read."""
    try:
        return (topology / f"cpu{processor}/topology/thread_siblings_list").read_text().strip()
    except OSError:  # not Linux, or hidden as on Android
        return f"cpu{processor}"
