"""`up` and private nodes start what was planned, and say why."""

import json
from pathlib import Path

import msgspec
import pytest

import worker
from detect import home, loads, settings
from detect.machine import briefly
from detect.machine import here as whole
from detect.placement.handed import Handed
from protocol import messages as m
from swarmctl import planned
from swarmctl.exits import Exit, Failure


@pytest.fixture
def here(tmp_path):
    return home.find({"SWARM_HOME": str(tmp_path)})


def prepared(here, **flags):
    return planned.prepare(here, settings.load(here, {}, flags), here)


def handed(here):
    return msgspec.json.decode(here.plan.read_bytes(), type=Handed).placements


def test_the_built_in_model_is_planned_with_its_reasons_in_one_screen(here) -> None:
    ready = prepared(here)
    (one,) = handed(here)
    assert ready.flags == {"workers": 1, "plan": str(here.plan)}
    assert ready.lines[0].startswith("plan: 1 worker of abacus (llamacpp) on ")
    assert any("weights" in line and "KV" in line for line in ready.lines)
    assert len(ready.lines) <= 24
    assert one.planned.slots == 8
    assert one.identity.startswith("abacus|")


@pytest.mark.parametrize(
    "flags", [{"engine": "mlx"}, {"model": str(Path(worker.__file__).parent / "models/abacus/hf")}]
)
def test_a_folder_is_planned_for_mlx(here, flags) -> None:
    ready = prepared(here, **flags)
    (one,) = handed(here)
    said = "plan: 1 worker of abacus (mlx) on the CPU: 8 slots of 512 tokens, 1 thread"
    assert ready.lines[0] == said
    assert any("prefer a .gguf form" in line for line in ready.lines)
    assert one.planned.model.endswith("hf")
    assert one.planned.wired_limit_bytes is None, "there is no Metal here"


def test_what_the_user_sets_is_what_is_planned(here) -> None:
    prepared(here, workers=3, slots=2, context="256", gpu_layers="0")
    placements = handed(here)
    assert len(placements) == 3
    assert {(one.planned.slots, one.planned.context_tokens) for one in placements} == {(2, 256)}


def test_no_seed_variation_is_one_slot_each(here) -> None:
    chosen = settings.load(here, {}, {"workers": 2})
    planned.prepare(here, chosen, here, seed_variation=False)
    assert [one.planned.slots for one in handed(here)] == [1, 1]
    scripted = settings.load(here, {}, {"model": "scripted:answers=1"})
    assert planned.prepare(here, scripted, here, seed_variation=False).flags == {"slots": 1}


@pytest.mark.parametrize(
    "flags", [{"engine": "scripted", "model": "scripted:answers=1"}, {"workers": 0}]
)
def test_what_placement_has_no_say_in_is_not_planned(here, flags) -> None:
    ready = prepared(here, **flags)
    assert ready.flags == {}
    assert ready.warnings == ()
    assert not here.plan.exists()


def test_a_model_that_cannot_be_read_leaves_the_word_to_the_worker(here) -> None:
    ready = prepared(here, model="/nonexistent.gguf")
    assert ready.flags == {}
    assert "cannot read the model" in ready.warnings[0]


def test_a_machine_that_cannot_be_looked_at_does_not_keep_the_node_from_starting(
    here, monkeypatch
) -> None:
    def broken() -> None:
        raise OSError("no /proc here")

    monkeypatch.setattr("detect.machine.briefly", broken)
    ready = prepared(here)
    assert ready.flags == {}
    assert "OSError: no /proc here; the node starts with its settings" in ready.warnings[0]


def test_a_wrong_setting_is_refused_with_the_way_out(here) -> None:
    with pytest.raises(Failure) as caught:
        prepared(here, context="4096")
    assert caught.value.code == Exit.USAGE
    assert "was trained for 512 tokens" in caught.value.seen
    assert "--context 512 or less" in caught.value.hint


def test_what_does_not_fit_is_refused_with_the_sum(here, monkeypatch) -> None:
    """The machine is this one with 64 MiB left."""
    real = briefly() or whole()
    little = msgspec.structs.replace(real.memory, headroom_bytes=64 << 20)
    monkeypatch.setattr(
        "detect.machine.briefly", lambda: msgspec.structs.replace(real, memory=little)
    )
    with pytest.raises(Failure) as caught:
        prepared(here)
    assert caught.value.code == Exit.NO_ROOM
    assert "abacus does not fit on this machine" in caught.value.seen
    assert "may be taken" in caught.value.seen


def test_a_size_that_was_measured_is_used_by_the_next_plan(here) -> None:
    prepared(here)
    (one,) = handed(here)
    planned_bytes = one.planned.sums[0].total_bytes
    loads.keep_size(here, f"{one.identity}|8x512:f16:256|main memory", planned_bytes + 12345)
    prepared(here)
    assert handed(here)[0].planned.sums[0].total_bytes == planned_bytes + 12345


def test_up_starts_what_it_planned_and_its_workers_prove_it(make_shell) -> None:
    shell = make_shell()
    code, _, err = shell.run("up", "--detach", "--workers", "2", "--slots", "3")
    assert code == 0, err
    assert "plan: 2 workers of abacus (llamacpp) on " in err
    assert "why: " in err
    report = shell.ask(m.Status(), m.NodeReport)
    assert len(report.workers) == 2
    (code, out, _) = shell.run("workers", "--json")
    rows = json.loads(out)["workers"]
    assert any("planned)" in note for row in rows for note in row["notes"])
    shell.run("down", "--now")


def test_up_refuses_what_cannot_be_with_exit_code_2(make_shell) -> None:
    shell = make_shell()
    code, _, err = shell.run("up", "--detach", "--context", "100000")
    assert code == 2
    assert "hint: --context 512 or less" in err
    assert not shell.is_up


def test_a_model_that_cannot_be_read_is_said_with_the_reason(here, tmp_path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUX" + bytes(100))
    ready = prepared(here, model=str(path))
    assert "is no model: the file starts with b'GGUX'" in ready.warnings[0]
