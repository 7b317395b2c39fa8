"""What is known of this machine: frozen facts, sizes in bytes.

Two rules. A field that is None is *unknown*: never zero, never a guess. And each known field has an
entry in its struct's `sources` (field name -> where it was read), save names given by the reader
itself such as `id`, `state` and `kind`.
"""

from typing import Literal

import msgspec

System = Literal["linux", "macos", "windows", "android", "other"]
Vendor = Literal["nvidia", "amd", "intel", "apple", "qualcomm", "other"]
Kind = Literal["discrete", "integrated", "mig"]
DeviceState = Literal["ready", "no_driver", "denied", "lost", "hidden", "parent", "failed"]
"""ready: can be planned on; parent: a card whose MIG slices are the devices; hidden: by a
visibility variable; lost: fell off the bus; failed: its driver answers with an error."""
Grade = Literal["info", "warn", "error"]
LABEL_CHARS = 12  # GPU-8f6d2a31: nvidia-smi -L and CUDA_VISIBLE_DEVICES know it by that


class Note(msgspec.Struct, frozen=True):
    """What a reader of the facts should know, and the command or step that mends it."""

    about: str  # nvidia, amd, memory, engine, …
    grade: Grade
    seen: str
    fix: str = ""


class Platform(msgspec.Struct, frozen=True):
    """The operating system as the process sees it. Traits: wsl, termux, proot, container, rosetta,
    vm, jetson: each changes what the rest may believe."""

    system: System
    machine: str  # x86_64, arm64 (aarch64 is written arm64)
    release: str
    python: str
    model: str | None = None  # the product's name, where the system tells it
    traits: tuple[str, ...] = ()
    sources: dict[str, str] = {}


class NumaNode(msgspec.Struct, frozen=True):
    """Processors that share one memory controller."""

    id: int
    cpus: tuple[int, ...]
    memory_bytes: int | None = None


class Cpu(msgspec.Struct, frozen=True):
    """Processors: how many exist, how many this process may use, how many are fast ones."""

    name: str | None = None
    logical: int | None = None  # in the machine
    allowed: int | None = None  # by affinity
    quota_cpus: float | None = None  # by cgroup; None also when there is no quota
    physical: int | None = None  # cores, without their hyper-threads, among the allowed
    performance: int | None = None  # of these, the fast ones of a hybrid processor
    numa: tuple[NumaNode, ...] = ()
    sources: dict[str, str] = {}

    @property
    def threads(self) -> int:
        """How many threads to compute with: fast physical cores, within affinity and quota."""
        cores = self.performance or self.physical or self.allowed or self.logical or 1
        if self.allowed:
            cores = min(cores, self.allowed)
        if self.quota_cpus:
            cores = min(cores, -int(-self.quota_cpus // 1))  # a quota of 1.5 keeps two busy
        return max(cores, 1)


class Memory(msgspec.Struct, frozen=True):
    """Main memory. `headroom_bytes` is what may still be taken before something is killed."""

    total_bytes: int | None = None
    available_bytes: int | None = None  # the system's own estimate, cgroups aside
    limit_bytes: int | None = None  # the tightest cgroup limit; None also when there is none
    headroom_bytes: int | None = None  # least of available and every cgroup level's rest
    swap_free_bytes: int | None = None
    sources: dict[str, str] = {}


class Device(msgspec.Struct, frozen=True):
    """One accelerator, or one MIG slice. The same card seen by two libraries is one device."""

    id: str  # its UUID, else "pci:…", else "library:index"
    vendor: Vendor
    name: str
    kind: Kind
    state: DeviceState
    library: str = ""  # through which the engine reaches it: CUDA, ROCm, Metal, Vulkan; "" = not
    engine_name: str = ""  # what the engine calls it: CUDA0
    uuid: str | None = None
    visible: str | None = None  # its entry in the variable that chose this process's devices
    pci: str | None = None  # 0000:01:00.0
    total_bytes: int | None = None
    free_bytes: int | None = None
    driver_bytes: int | None = None  # what the driver held for a process that opened it; CUDA only
    unified: bool = False  # its memory is main memory
    numa_node: int | None = None
    target: str | None = None  # compute target: sm_89, gfx1101, apple8
    parent: str | None = None  # of a MIG slice
    sources: dict[str, str] = {}

    @property
    def label(self) -> str:
        """A short name for people: the engine's, else the beginning of the UUID, or the address."""
        return self.engine_name or (self.id[:LABEL_CHARS] if self.id == self.uuid else self.id)


class EngineDevice(msgspec.Struct, frozen=True):
    """A device as the inference library itself lists it."""

    name: str
    description: str
    kind: Literal["cpu", "gpu", "igpu", "accel", "meta"]
    library: str
    free_bytes: int | None
    total_bytes: int | None
    pci: str | None = None


class Engine(msgspec.Struct, frozen=True):
    """An engine installed on this machine, and what its build can drive."""

    name: Literal["llamacpp", "mlx", "llama_server"]
    version: str | None
    gpu: bool | None  # can this build use an accelerator at all
    devices: tuple[EngineDevice, ...] = ()
    source: str = ""


class Machine(msgspec.Struct, frozen=True):
    """Everything that placement is told about this machine."""

    platform: Platform
    cpu: Cpu
    memory: Memory
    devices: tuple[Device, ...] = ()
    engines: tuple[Engine, ...] = ()
    notes: tuple[Note, ...] = ()

    def engine(self, name: str) -> Engine | None:
        """The installed engine of this name."""
        return next((e for e in self.engines if e.name == name), None)
