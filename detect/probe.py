"""`python -m detect.probe NAME [ARGUMENT]`: run one probe here, print one JSON object, end."""

import sys
from collections.abc import Callable

import msgspec

from detect.host import LiveHost, RecordingHost
from detect.record import Record


def files(root: str) -> Record:
    """Everything the readers of files and commands ask for, as a record."""
    from detect.machine import read_files

    host = RecordingHost(LiveHost(root))
    read_files(host)
    return host.record()


def amd(root: str) -> Record:
    """The same for AMD's tables, apart: the driver of a sick card can hang a read."""
    from detect.amd import read_amd

    host = RecordingHost(LiveHost(root))
    read_amd(host)
    return host.record()


def nvml(_: str) -> object:
    """NVML's answers."""
    from detect.probes import nvml as module

    return module.probe()


def ggml(_: str) -> object:
    """The inference library's own devices."""
    from detect.probes import ggml as module

    return module.probe()


def mlx(_: str) -> object:
    """MLX's device."""
    from detect.probes import mlx as module

    return module.probe()


def psutil(_: str) -> object:
    """Memory by psutil."""
    from detect.probes import memory as module

    return module.probe()


def simulate(request: str) -> object:
    """A simulated load; the argument is a JSON detect.simulated.Load."""
    from detect.probes.simulate import probe

    return probe(request)


def mdns(interface: str) -> object:
    """Whether own multicast is heard; the argument narrows it to one interface's address."""
    from detect.probes import mdns as module

    return module.probe("" if interface == "/" else interface)


PRINTED_BYTES_MAX = 64 << 20  # by one probe: an answer is at most 8 MiB, and drivers talk too
PROBES: dict[str, Callable[[str], object]] = {
    probe.__name__: probe for probe in (files, amd, nvml, ggml, mlx, psutil, mdns, simulate)
}


def main(argv: list[str]) -> int:
    """Run the named probe; 2 for a wrong call."""
    if not argv or argv[0] not in PROBES:
        print(f"usage: python -m detect.probe {'|'.join(PROBES)} [ARGUMENT]", file=sys.stderr)
        return 2
    answer = PROBES[argv[0]](argv[1] if len(argv) > 1 else "/")
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    return 0


def _bound_output() -> None:
    """A driver that prints without end shall not fill the disk before its time is over."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_FSIZE, (PRINTED_BYTES_MAX, most))


if __name__ == "__main__":
    _bound_output()
    raise SystemExit(main(sys.argv[1:]))
