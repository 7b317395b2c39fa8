"""Properties that every plan has, on machines and models drawn at random."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.facts import Device, Engine, Machine
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, attempts, engines, plan
from detect.placement.budget import GPUS_MAX, Room, device_rooms, main_room
from detect.placement.slots import Wish, contexts, shrunk
from detect.settings import merge
from detect.tables import Given
from tests.detect import machine_files
from tests.detect.models import MODELS

GIB = 1 << 30
BASE = detect(RecordedHost(machine_files.record("nvidia_two_3090")))
GGUF = sorted(name for name in MODELS if not name.endswith("-mlx"))


def cards(gib: list[float]) -> tuple[Device, ...]:
    return tuple(
        Device(
            f"GPU-{at}", "nvidia", "Card", "discrete", "ready",
            library="CUDA", engine_name=f"CUDA{at}", uuid=f"GPU-{at}",
            total_bytes=int(size * GIB), free_bytes=int(size * 0.97 * GIB),
        )
        for at, size in enumerate(gib)
    )  # fmt: skip


def machine(gib: list[float], headroom_gib: float) -> Machine:
    memory = msgspec.structs.replace(BASE.memory, headroom_bytes=int(headroom_gib * GIB))
    return msgspec.structs.replace(
        BASE,
        devices=cards(gib),
        memory=memory,
        engines=(Engine("llamacpp", "1", True), Engine("mlx", "1", False)),
        notes=(),
    )


sizes = st.lists(st.floats(2, 80), max_size=4)


@settings(max_examples=80, deadline=None)
@given(
    gib=sizes,
    headroom=st.floats(1, 200),
    name=st.sampled_from(sorted(MODELS)),
    workers=st.sampled_from([None, 1, 2, 5]),
)
def test_a_plan_never_takes_more_than_the_rooms_give(
    gib: list[float], headroom: float, name: str, workers: int | None
) -> None:
    here, model = machine(gib, headroom), MODELS[name]
    got = plan(here, model, Limits(workers=workers))
    assert bool(got.workers) != bool(got.error)
    for worker in got.workers:
        assert all(row.fits for row in worker.sums)
        assert 1 <= worker.slots <= 8
        assert -1 <= worker.gpu_layers <= model.offloadable
        assert worker.context_tokens >= contexts(model, Limits())[1]
    rooms, _ = device_rooms(here, Limits(), model.form)
    main = main_room(here, Limits())
    assert main is not None
    for room in (*rooms, main):
        taken = sum(
            row.total_bytes for w in got.workers for row in w.sums if row.place == room.place
        )
        assert taken <= room.budget_bytes


@settings(max_examples=40, deadline=None)
@given(gib=sizes, headroom=st.floats(1, 100), more=st.floats(0, 100), name=st.sampled_from(GGUF))
def test_more_main_memory_never_makes_a_model_not_fit(
    gib: list[float], headroom: float, more: float, name: str
) -> None:
    if plan(machine(gib, headroom), MODELS[name]).workers:
        assert plan(machine(gib, headroom + more), MODELS[name]).workers


@settings(max_examples=40, deadline=None)
@given(card=st.floats(2, 24), name=st.sampled_from(GGUF))
def test_partial_layers_are_the_most_that_fit(card: float, name: str) -> None:
    """The dumb oracle: try every number."""
    model, main = MODELS[name], Room("main memory", 500 * GIB, "")
    room = Room("CUDA0", int(card * GIB), "", cards([card])[0], 457 << 20)
    load = engines.llamacpp(model, 8, 2048, gpu=True)
    fitting = [
        layers
        for layers in range(1, model.offloadable + 1)
        if attempts.on_device(model, load, room, layers).fits
    ]
    assert attempts.layers_that_fit(model, load, room, main) == max(fitting, default=0)


@settings(max_examples=60, deadline=None)
@given(limit=st.integers(0, 9000))
def test_the_context_shrinks_no_further_than_it_must(limit: int) -> None:
    """The dumb oracle: the largest multiple of 256 from the floor on that fits."""
    model = MODELS["4b"]
    whole, floor = contexts(model, Limits())
    got = shrunk(model, Limits(slots=8), 8, lambda wish: wish.context_tokens <= limit, {})
    oracle = max((c for c in range(floor, whole + 1, 256) if c <= limit), default=None)
    assert (got.context_tokens if got else None) == oracle


def test_slots_are_given_up_last_and_asked_for_ones_never() -> None:
    model = MODELS["4b"]

    def fits(wish: Wish) -> bool:
        return wish.slots <= 3

    assert shrunk(model, Limits(), 8, fits, {}) == Wish(3, 4096, "f16")
    assert shrunk(model, Limits(slots=8), 8, fits, {}) is None


def test_settings_fix_only_what_somebody_set() -> None:
    from detect.placement.asked import limits_of

    nobody = limits_of(merge({}))
    assert (nobody.workers, nobody.slots, nobody.gpu_layers) == (None, None, "auto")
    somebody = limits_of(merge({"workers": Given(3, "x"), "gpu_layers": Given("all", "x")}))
    assert (somebody.workers, somebody.gpu_layers) == (3, "all")


def test_a_model_is_split_over_no_more_cards_than_llama_cpp_takes() -> None:
    (worker,) = plan(machine([4.0] * 20, 64), MODELS["14b"]).workers
    assert 2 < len(worker.devices) <= GPUS_MAX
