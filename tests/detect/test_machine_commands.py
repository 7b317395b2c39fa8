"""`swarmctl detect`, `plan` and `doctor` as people and scripts call them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import shapes
from detect.record import dump
from tests.detect import machine_files


def run(*argv: str, home: Path) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "SWARM_HOME": str(home), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "swarmctl.app", *argv],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def other(tmp_path: Path) -> str:
    """A record of a machine with two cards."""
    path = tmp_path / "record.json"
    path.write_bytes(dump(machine_files.record("nvidia_two_3090")))
    return str(path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(shapes.write(tmp_path, shapes.Dims("qwen3", layers=12, width=1024, heads=8)))


def parsed(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == 1
    return dict(told)


def test_detect_tells_of_this_machine_in_json(tmp_path: Path) -> None:
    told = parsed(run("detect", "--json", home=tmp_path))
    assert told["memory"]["total_bytes"] > 0
    assert {engine["name"] for engine in told["engines"]} == {"llamacpp", "mlx"}


def test_a_recorded_machine_reads_as_the_one_it_was_made_on(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    here = parsed(run("detect", "--json", "--record", str(file), home=tmp_path))
    there = parsed(run("detect", "--json", "--root", str(file), home=tmp_path))
    assert here["cpu"] == there["cpu"]
    assert here["memory"] == there["memory"]


def test_detect_shows_another_machine(tmp_path: Path, other: str) -> None:
    done = run("detect", "--root", other, home=tmp_path)
    assert done.stdout.count("NVIDIA GeForce RTX 3090") == 2


def test_the_root_of_this_machine_is_this_machine(tmp_path: Path) -> None:
    there = parsed(run("detect", "--json", "--root", "/", home=tmp_path))
    assert there["platform"] == parsed(run("detect", "--json", home=tmp_path))["platform"]


def test_a_strangers_record_steers_no_terminal(tmp_path: Path) -> None:
    told = machine_files.record("nvidia_two_3090")
    files = {**told.files, "/proc/cpuinfo": "model name : \x1b[2JCPU\x07\n"}
    path = tmp_path / "record.json"
    path.write_bytes(dump(msgspec.structs.replace(told, files=files)))
    done = run("detect", "--root", str(path), home=tmp_path)
    assert "CPU" in done.stdout
    assert all(c.isprintable() or c in "\n\t" for c in done.stdout)


def test_the_built_in_model_is_planned_by_the_engine_that_the_other_machine_has(
    tmp_path: Path,
) -> None:
    mac = tmp_path / "mac.json"
    mac.write_bytes(dump(machine_files.record("apple_m1_16")))
    (worker,) = parsed(run("plan", "--json", "--root", str(mac), home=tmp_path))["workers"]
    assert worker["engine"] == "mlx"
    assert worker["wired_limit_bytes"] > 4 << 30


def test_a_root_that_is_no_machine_is_wrong_usage(tmp_path: Path) -> None:
    done = run("detect", "--root", str(tmp_path / "none"), home=tmp_path)
    assert done.returncode == 2
    assert "hint:" in done.stderr


def test_plan_of_another_machine_names_every_worker(tmp_path: Path, other: str, model: str) -> None:
    told = parsed(run("plan", "--json", "--root", other, "--model", model, home=tmp_path))
    assert len(told["workers"]) == 2
    assert {w["env"]["CUDA_DEVICE_ORDER"] for w in told["workers"]} == {"PCI_BUS_ID"}
    assert told["reasons"]


def test_plan_says_why_on_a_terminal_of_words(tmp_path: Path) -> None:
    done = run("plan", home=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("worker 0: abacus (llamacpp) on the CPU")
    assert "why: on the CPU: weights" in done.stdout


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--model", "nowhere.gguf"), 3, "cannot read the model"),
        (("--model", __file__), 2, "it is no GGUF"),
        (("--gpu-layers", "some"), 2, "auto, all, or 0 to 1024"),
        (("--slots", "1000"), 2, "slots takes 1 to 64"),
        (("--gpu-layers", "9"), 2, "no GPU that can be used"),
        (("--context", "1000000"), 2, "trained for"),
        (("--engine", "scripted"), 2, "the engine scripted is not planned"),
        (("--model", "scripted:numbers"), 2, "the engine scripted is not planned"),
    ],
)
def test_what_cannot_be_planned_ends_with_its_code(
    tmp_path: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    done = run("plan", *flags, home=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "hint:" in done.stderr


def test_what_does_not_fit_ends_with_no_room(tmp_path: Path) -> None:
    phone = tmp_path / "phone.json"
    phone.write_bytes(dump(machine_files.record("termux_py312")))
    dims = shapes.Dims("qwen3", layers=36, width=4096, wide=12288, heads=32, heads_kv=8, head=128)
    large = str(shapes.write(tmp_path, dims))
    done = run("plan", "--json", "--root", str(phone), "--model", large, home=tmp_path)
    assert done.returncode == 5
    assert json.loads(done.stdout)["refused"][0]["need_bytes"] > 0


def test_a_split_is_asked_by_its_flag_and_refused_by_its_length(
    tmp_path: Path, other: str, model: str
) -> None:
    flags = ("plan", "--json", "--root", other, "--model", model)
    (worker,) = parsed(run(*flags, "--tensor-split", "3,1", home=tmp_path))["workers"]
    first, second = worker["tensor_split"]
    assert first > second > 0
    wrong = run(*flags, "--tensor-split", "3,1,1", home=tmp_path)
    assert wrong.returncode == 2
    assert "3 shares for 2 devices: CUDA0 NVIDIA GeForce RTX 3090" in wrong.stderr


def test_a_models_own_layers_are_planned(tmp_path: Path, other: str, model: str) -> None:
    (tmp_path / "config.toml").write_text(f'[models."{Path(model).stem}"]\ngpu_layers = 9\n')
    told = parsed(run("plan", "--json", "--root", other, "--model", model, home=tmp_path))
    assert [worker["gpu_layers"] for worker in told["workers"]] == [9]


def test_the_doctor_ends_with_the_gravity_of_its_worst_finding(tmp_path: Path) -> None:
    done = run("doctor", "--json", home=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == (1 if told["worst"] == "fail" else 0)
    assert [c for c in told["checks"] if c["state"] in {"warn", "fail"} and not c["fix"]] == []


def test_an_engine_that_does_not_load_makes_the_doctor_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "broken" / "llama_cpp"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    kept = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package.parent), kept]))
    done = run("doctor", home=tmp_path)
    assert done.returncode == 1
    assert "llama_cpp does not load here" in done.stdout
    assert "force-reinstall" in done.stdout
