"""What llama.cpp itself says a load would take: the request of the probe, and its log read.

With `no_alloc` it reads only metadata and lays out every buffer without taking memory; this is how
its own --fit measures. Weights, caches and buffers come as log lines, in MiB with two decimals.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from detect import probing
from detect.record import Probed

TIMEOUT_S = 60.0  # half a second usually; a slow disk and a large vocabulary take longer
MIB = 1 << 20


class Load(msgspec.Struct, frozen=True):
    """A load to simulate; names as in llama_model_params and llama_context_params."""

    path: str
    cells: int  # of all sequences together
    sequences: int = 1
    ubatch: int = 512
    outputs: int = 0  # rows of logits held at once; 0: a whole batch, llama.cpp's default
    kv_type: str = "f16"
    gpu_layers: int = 0
    split_mode: int = 1  # 0 none, 1 layer
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    flash: bool = True
    unified: bool = False  # one cache for all sequences, or a stream for each
    experts_in_main_memory: bool = False


class Simulated(msgspec.Struct, frozen=True):
    """The answer, in bytes; per-device figures by llama.cpp's buffer names (CPU, CUDA0, …)."""

    weight_bytes: int
    kv_bytes: int
    recurrent_bytes: int
    output_bytes: int
    compute_bytes: dict[str, int]
    flash: bool | None = None  # whether flash attention was switched on

    @property
    def total_bytes(self) -> int:
        """Everything together."""
        kept = self.weight_bytes + self.kv_bytes + self.recurrent_bytes + self.output_bytes
        return kept + sum(self.compute_bytes.values())


class Answer(msgspec.Struct, frozen=True):
    """One load as the probe prints it."""

    weight_bytes: int = 0
    log: str = ""
    error: str = ""


class Answers(msgspec.Struct, frozen=True):
    """What the probe prints: an answer for each load asked."""

    answers: tuple[Answer, ...] = ()


def simulate(
    loads: Sequence[Load], env: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> list[Simulated | str]:
    """Simulate loads in one process of their own; a text says why one has no answer.

    `env` shows that process the devices that the worker will see.
    """
    request = msgspec.json.encode(list(loads)).decode()
    return judge(probing.run("simulate", request, timeout_s, env), len(loads))


def judge(probed: Probed, count: int) -> list[Simulated | str]:
    """Read the probe's answers to `count` loads."""
    if probed.value is None:
        why = f"the simulated load gave no answer ({probed.error}: {probed.detail[-300:]})"
        return [why] * count
    try:
        answers = msgspec.convert(probed.value, Answers).answers
    except msgspec.ValidationError as wrong:
        return [f"the simulated load answered nonsense: {wrong}"] * count
    read = [answer.error or parse_log(answer.log, answer.weight_bytes) for answer in answers]
    return [*read, *["the simulated load gave too few answers"] * (count - len(read))]


_KV = re.compile(r"kv_cache\w*: size = +([\d.]+) MiB")
_RECURRENT = re.compile(r"recurrent: size = +([\d.]+) MiB")
_COMPUTE = re.compile(r": +(\S+) compute buffer size = +([\d.]+) MiB")
_OUTPUT = re.compile(r": +\S+ +output buffer size = +([\d.]+) MiB")
_FLASH = re.compile(
    r"Flash Attention (?:was auto, set|not supported, set) to (\w+)|flash_attn += (\w+)"
)


def parse_log(log: str, weight_bytes: int) -> Simulated:
    """Sum the sizes that llama.cpp logged."""
    compute = {name: _bytes(size) for name, size in _COMPUTE.findall(log)}
    flash = [a or b for a, b in _FLASH.findall(log)]
    return Simulated(
        weight_bytes=weight_bytes,
        kv_bytes=sum(_bytes(size) for size in _KV.findall(log)),
        recurrent_bytes=sum(_bytes(size) for size in _RECURRENT.findall(log)),
        output_bytes=sum(_bytes(size) for size in _OUTPUT.findall(log)),
        compute_bytes=compute,
        flash=flash[-1] not in {"disabled", "0"} if flash else None,
    )


def _bytes(mib: str) -> int:
    return round(float(mib) * MIB)
