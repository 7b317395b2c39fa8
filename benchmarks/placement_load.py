"""One planned worker on standard input, loaded and worked hard; what it took on standard output."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from detect.placement import readback
from detect.placement.result import PlannedWorker
from worker.engines import LoadError
from worker.engines.llamacpp.library import load_log
from worker.engines.llamacpp.opened import Opened
from worker.placed import options_of


class Taken(msgspec.Struct, frozen=True):
    """Sizes in bytes. 0 where nobody tells."""

    on_devices: int  # llama.cpp's buffers, by its own log
    device_bytes: int  # all that this process holds of NVIDIA's cards, by NVML
    anonymous_bytes: int  # main memory that is no page of a file
    layers: int
    offloadable: int


def main() -> int:
    """Load, work, tell."""
    planned = msgspec.json.decode(sys.stdin.buffer.read(), type=PlannedWorker)
    try:
        opened = Opened(planned.model, planned.slots, options_of(planned))
    except LoadError as error:
        print(f"{error.seen}: {error.because}", file=sys.stderr)
        return 1
    _work(opened, planned)
    loaded = readback.parse("\n".join(load_log))
    taken = Taken(
        loaded.on_devices(), _device_bytes(), _anonymous_bytes(), loaded.layers, loaded.offloadable
    )
    opened.close()
    print(msgspec.json.encode(taken).decode())
    return 0


def _work(opened: Opened, planned: PlannedWorker) -> None:
    """A prompt that fills a context, then one token for every slot."""
    context, chunk = opened.context, opened.size.chunk
    for at in range(0, planned.context_tokens - chunk + 1, chunk):
        last = at + 2 * chunk > planned.context_tokens
        context.prefill([1] * chunk, wants_logits=last)
    context.decode([1] * planned.slots, [0] * planned.slots)
    context.logits(planned.slots - 1)  # waits for the device


def _device_bytes() -> int:
    """What NVML says of this process, over all cards."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except (ImportError, OSError):
        return 0
    except pynvml.NVMLError:
        return 0
    return sum(_own_bytes(pynvml))


def _own_bytes(nvml: Any) -> Iterator[int]:
    for at in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(at)
        for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            if process.pid == os.getpid():
                yield int(process.usedGpuMemory or 0)


def _anonymous_bytes() -> int:
    """RssAnon and RssShmem of proc(5), in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    kept = [line.split() for line in lines if line.startswith(("RssAnon:", "RssShmem:"))]
    return sum(int(words[1]) * 1024 for words in kept)


if __name__ == "__main__":
    sys.exit(main())
