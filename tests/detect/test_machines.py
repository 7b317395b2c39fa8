"""Each machine of machines/ gets the plan that its file expects, with the reason in words."""

from typing import Any

import msgspec
import pytest

from detect.facts import Machine
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, Plan, plan
from tests.detect import machine_files
from tests.detect.models import MODELS

GIB = 1 << 30


def machine(name: str) -> Machine:
    return detect(RecordedHost(machine_files.record(name)))


def planned(name: str) -> tuple[Plan, dict[str, Any]]:
    told = machine_files.read(name)
    limits = msgspec.convert(told.get("limits", {}), Limits)
    return plan(machine(name), MODELS[told["model"]], limits), told["expect"]


def seen_in(part: str, texts: tuple[str, ...]) -> bool:
    return any(part in text for text in texts)


@pytest.mark.parametrize("name", machine_files.names())
def test_the_machine_gets_the_workers_expected(name: str) -> None:
    got, expect = planned(name)
    assert len(got.workers) == expect["workers"], got
    checks = {
        "engine": lambda w: w.engine,
        "slots": lambda w: w.slots,
        "context": lambda w: w.context_tokens,
        "gpu_layers": lambda w: w.gpu_layers,
        "threads": lambda w: w.threads,
        "devices": lambda w: list(w.devices),
        "env": lambda w: w.env,
        "split": lambda w: len(w.tensor_split),
        "experts_in_main_memory": lambda w: w.experts_in_main_memory,
        "cpus": lambda w: len(w.cpus),
        "wired": lambda w: w.wired_limit_bytes is not None,
    }
    for worker in got.workers:
        assert {k: checks[k](worker) for k in checks if k in expect} == {
            k: expect[k] for k in checks if k in expect
        }
        layers = range(expect.get("gpu_layers_from", -1), expect.get("gpu_layers_to", 1000) + 1)
        assert worker.gpu_layers in layers


@pytest.mark.parametrize("name", machine_files.names())
def test_the_plan_says_why(name: str) -> None:
    got, expect = planned(name)
    assert "reason" in expect or "error" in expect
    if "reason" in expect:
        assert seen_in(expect["reason"], got.reasons), got.reasons
    if "refused" in expect:
        assert seen_in(expect["refused"], tuple(one.why for one in got.refused)), got.refused
    if "warning" in expect:
        assert seen_in(expect["warning"], got.warnings), got.warnings
    if "error" in expect:
        assert expect["error"] in got.error
        assert got.hint


@pytest.mark.parametrize("name", machine_files.names())
def test_no_planned_worker_is_over_its_budget(name: str) -> None:
    got, _ = planned(name)
    rows = [row for worker in got.workers for row in worker.sums]
    assert [row for row in rows if not row.fits] == []


@pytest.mark.parametrize("name", machine_files.names())
def test_the_facts_are_as_the_file_expects(name: str) -> None:
    expect = machine_files.read(name)["expect"]
    found = machine(name)
    if "system" in expect:
        assert found.platform.system == expect["system"]
    assert set(expect.get("traits", [])) <= set(found.platform.traits)
    if "note" in expect:
        texts = tuple(f"{note.seen} {note.fix}" for note in found.notes)
        assert seen_in(expect["note"], texts), texts
    if "headroom_gib" in expect:
        assert found.memory.headroom_bytes == int(expect["headroom_gib"] * GIB)
        assert found.memory.limit_bytes == int(expect["limit_gib"] * GIB)
    if "unified" in expect:
        assert any(device.unified for device in found.devices)
    if "device_count" in expect:
        assert len(found.devices) == expect["device_count"]


@pytest.mark.parametrize("name", machine_files.names())
def test_every_known_fact_has_a_source(name: str) -> None:
    found = machine(name)
    for part in (found.cpu, found.memory, *found.devices):
        known = {
            field
            for field in type(part).__struct_fields__
            if getattr(part, field) is not None
            and (field.endswith("_bytes") or field in {"quota_cpus", "physical", "performance"})
        }
        assert known <= set(part.sources), part


@pytest.mark.parametrize("name", machine_files.names())
def test_a_failing_state_comes_with_a_fix(name: str) -> None:
    assert [n for n in machine(name).notes if n.grade == "error" and not n.fix] == []


def test_there_are_at_least_twenty_five_machines_of_every_kind() -> None:
    names = machine_files.names()
    assert len(names) >= 25
    for kind in ("nvidia", "amd", "intel", "apple", "termux", "container", "windows", "wsl2"):
        assert any(name.startswith(kind) for name in names), kind
