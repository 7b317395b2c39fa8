"""What a plan hands to a node, and what a load hands to the next plan."""

import msgspec
import pytest

from detect import home, loads
from detect.host import RecordedHost
from detect.machine import briefly, detect, here
from detect.placement import Limits, plan, readback
from detect.placement.handed import PLAN_BYTES_MAX, Handed, hand_over
from detect.placement.words import GIB
from tests.detect import machine_files
from tests.detect.models import MODELS

NAMES = sorted(path.stem for path in machine_files.FOLDER.glob("*.toml"))


def machine(name):
    return detect(RecordedHost(machine_files.record(name)))


@pytest.mark.parametrize("name", NAMES)
def test_every_plan_survives_being_handed_over(name) -> None:
    found = machine(name)
    handed = hand_over(found, MODELS["4b"], plan(found, MODELS["4b"]))
    text = msgspec.json.encode(handed)
    assert len(text) < PLAN_BYTES_MAX / 8
    assert msgspec.json.decode(text, type=Handed) == handed


def test_a_worker_knows_the_gpus_that_work_here_whether_it_uses_them_or_not() -> None:
    found = machine("nvidia_cpu_build")
    (one,) = hand_over(found, MODELS["4b"], plan(found, MODELS["4b"])).placements
    (note,) = readback.judge(one.ready, one.planned, readback.Loaded())
    assert one.planned.gpu_layers == 0
    assert "is here and not used" in note.seen


LOG = """load_tensors: offloaded 37/37 layers to GPU
load_tensors:   CPU_Mapped model buffer size =   304.28 MiB
load_tensors:        CUDA0 model buffer size =  2375.85 MiB
llama_kv_cache:      CUDA0 KV buffer size =  5184.00 MiB
sched_reserve:      CUDA0 compute buffer size =   301.75 MiB
"""


def test_what_a_load_took_is_what_the_next_plan_believes(tmp_path) -> None:
    found, model = machine("nvidia_rtx4090"), MODELS["4b"]
    (one,) = hand_over(found, model, plan(found, model)).placements
    learned = readback.measured(one.identity, one.planned, one.ready, readback.parse(LOG))
    assert learned is not None
    where = home.find({"SWARM_HOME": str(tmp_path)})
    loads.keep_size(where, *learned)
    again = plan(found, model, loads.with_known(Limits(), where, model))
    assert again.workers[0].sums[0].measured_bytes == learned[1]
    assert 8 * GIB < learned[1] < 8.3 * GIB
    assert any("measured before" in reason for reason in again.reasons)


def test_a_load_on_the_processors_is_remembered_too() -> None:
    found, model = machine("raspberry_pi5"), MODELS["0.6b"]
    (one,) = hand_over(found, model, plan(found, model)).placements
    log = "load_tensors: CPU_Mapped model buffer size = 600.00 MiB\n"
    learned = readback.measured(one.identity, one.planned, one.ready, readback.parse(log))
    assert learned is not None
    again = plan(found, model, Limits(measured=dict([learned])))
    assert again.workers[0].sums[0].total_bytes == learned[1]


def test_part_of_the_layers_teaches_nothing_about_a_whole_place() -> None:
    found, model = machine("nvidia_gtx1650"), MODELS["4b"]
    (one,) = hand_over(found, model, plan(found, model)).placements
    assert 0 < one.planned.gpu_layers < one.offloadable
    assert readback.measured(one.identity, one.planned, one.ready, readback.parse(LOG)) is None


def test_a_spoiled_memory_of_loads_is_no_memory(tmp_path) -> None:
    where = home.find({"SWARM_HOME": str(tmp_path)})
    assert loads.known(where) == loads.Loads()
    where.loads.write_text('{"sizes": {"a": "b"}}')
    assert loads.known(where) == loads.Loads()
    loads.keep_size(where, "a", 1)
    assert loads.known(where).sizes == {"a": 1}


def test_gains_are_kept_by_model_and_place(tmp_path) -> None:
    where, model = home.find({"SWARM_HOME": str(tmp_path)}), MODELS["0.6b"]
    name = readback.identity(model)
    loads.keep_gains(where, name, "main memory", {1: 1.0, 8: 2.5})
    loads.keep_gains(where, name, "main memory", {1: 1.0, 2: 1.4})
    loads.keep_gains(where, "another", "main memory", {1: 1.0, 2: 9.0})
    known = loads.with_known(Limits(), where, model)
    assert known.gains == {"main memory": {1: 1.0, 2: 1.4, 8: 2.5}}


def test_one_load_on_a_busy_machine_does_not_undo_what_others_measured(tmp_path) -> None:
    where, model = home.find({"SWARM_HOME": str(tmp_path)}), MODELS["0.6b"]
    for gain in (4.9, 5.1, 1.3, 4.8, 5.0, 1.2, 4.7):
        loads.keep_gains(where, readback.identity(model), "CUDA0", {8: gain})
    known = loads.with_known(Limits(), where, model)
    assert known.gains == {"CUDA0": {8: 4.7}}


def test_a_brief_look_sees_the_same_machine() -> None:
    """Where there may be an accelerator there is no brief look."""
    brief = briefly()
    if brief is not None:
        whole = here()
        assert brief.cpu.threads == whole.cpu.threads
        assert brief.memory.total_bytes == whole.memory.total_bytes
        assert [e.name for e in brief.engines] == [e.name for e in whole.engines]
        assert whole.devices == ()


def test_where_a_model_is_comes_in_one_line() -> None:
    (worker,) = plan(machine("nvidia_rtx4090"), MODELS["4b"]).workers
    said = readback.words(worker, readback.parse(LOG))
    assert said.startswith("37 of 37 layers on GPUs: 7.68 GiB on CUDA0, 304 MiB on main memory (")
