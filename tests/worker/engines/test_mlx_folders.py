"""What can be wrong with a model's folder, each said in a way that helps, and what MLX lacks."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from worker.engine import Request
from worker.engines import ABACUS_FOLDER, EngineOptions, LoadError, load

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of abacus that a test may spoil."""
    return Path(shutil.copytree(ABACUS_FOLDER, tmp_path / "abacus"))


def _refused(path: Path, **options: int) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load("mlx", str(path), 1, EngineOptions(**options))
    assert caught.value.seen
    assert caught.value.because
    assert caught.value.hint
    return caught.value


def _changed(folder: Path, name: str, **fields: object) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **fields}))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere is not here" in _refused(tmp_path / "nowhere").seen


def test_a_gguf_file_is_no_folder_and_the_hint_names_its_engine() -> None:
    error = _refused(ABACUS_FOLDER.parent / "abacus.gguf")
    assert "is a file" in error.seen
    assert "llamacpp" in error.hint


SPOILED: list[tuple[str, Callable[[Path], object], str]] = [
    ("no config", lambda at: (at / "config.json").unlink(), "cannot read"),
    ("torn config", lambda at: (at / "config.json").write_text('{"mod'), "damaged"),
    ("another json", lambda at: (at / "config.json").write_text("[]"), "describes no model"),
    ("no weights", lambda at: (at / WEIGHTS).unlink(), "has no weights"),
    ("empty weights", lambda at: (at / WEIGHTS).write_bytes(b""), "cut short"),
    ("noise", lambda at: (at / WEIGHTS).write_bytes(b"\x10" + 7 * b"\0" + 99 * b"x"), "damaged"),
    ("no tokenizer", lambda at: [f.unlink() for f in at.glob("tokenizer*")], "has no tokenizer"),
    ("torn tokenizer", lambda at: (at / "tokenizer.json").write_text("{"), "tokenizer of"),
    ("no layers", lambda at: _changed(at, "config.json", num_hidden_layers=None), "cannot load"),
    ("other sizes", lambda at: _changed(at, "config.json", num_hidden_layers=9), "cannot load"),
    ("own code", lambda at: _changed(at, "config.json", model_file="evil.py"), "cannot load"),
]


@pytest.mark.parametrize(("what", "spoil", "seen"), SPOILED)
def test_a_spoiled_folder_is_refused_in_words(folder: Path, what, spoil, seen: str) -> None:
    spoil(folder)
    assert seen in _refused(folder).seen


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.9999])
def test_truncated_weights_are_found_before_they_are_read(folder: Path, share: float) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: int(len(whole) * share)])
    assert folder.name in _refused(folder).seen


def test_a_missing_part_of_the_weights_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": WEIGHTS, "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00002-of-00002.safetensors is missing" in _refused(folder).because


@pytest.mark.parametrize("kind", ["blama", "bert"])  # bert: an encoder
def test_a_kind_of_model_that_mlx_lm_does_not_know_is_named(folder: Path, kind: str) -> None:
    _changed(folder, "config.json", model_type=kind, architectures=[])
    error = _refused(folder)
    assert kind in error.because
    assert "made for chat" in error.hint


def test_a_cache_that_no_memory_holds_is_told_apart_from_a_wrong_folder(folder: Path) -> None:
    error = _refused(folder, context_tokens=2**29)
    assert error.no_room
    assert "no room for 1 slot" in error.seen
    assert not _refused(folder / "none").no_room


def test_weights_that_no_memory_holds_are_not_read(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("worker.engines.mlx.opened._weights_bytes", lambda _: 2**60)
    error = _refused(folder)
    assert error.no_room
    assert "no room for the weights" in error.seen


def test_a_network_that_does_not_compute_is_told_in_words(folder: Path, monkeypatch) -> None:
    """A family's own code may raise anything when it is first run."""
    from mlx_lm.models import llama

    monkeypatch.setattr(llama.Model, "__call__", lambda *_, **__: {}["heads"])
    error = _refused(folder)
    assert "does not compute" in error.seen
    assert "heads" in error.because
    assert not error.no_room


def test_a_network_that_raises_at_work_ends_its_requests_and_not_the_worker(
    folder: Path, run, monkeypatch
) -> None:
    from mlx_lm.models import llama

    engine = load("mlx", str(folder), 2)
    seats = [Request("1 + 1 =", seed=seed) for seed in (1, 2)]
    expected = [one.text for one in run(engine).all(seats)]
    with monkeypatch.context() as patch:
        patch.setattr(llama.Model, "__call__", lambda *_, **__: {}["heads"])
        failed = run(engine).all(seats)
    assert [(one.finish, one.error) for one in failed] == [("error", "'heads'")] * 2
    assert [one.text for one in run(engine).all(seats)] == expected
    engine.close()


def test_the_facts_say_what_is_loaded() -> None:
    engine = load("auto", str(ABACUS_FOLDER), 3)
    facts = engine.facts
    engine.close()
    assert (facts.engine, facts.model, facts.slots) == ("mlx", "abacus", 3)
    assert facts.context_tokens == 512
    assert facts.digest.startswith("sha256:")
    assert set(facts.tokens_per_s) >= {1, 2, 3}


@pytest.mark.parametrize("missing", ["mlx_lm", "mlx", "mlx.core"])
def test_without_its_package_the_engine_says_what_to_install(missing: str) -> None:
    """In a process of its own, where the package is hidden."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from worker.engines import LoadError, load\n"
        "try: load('mlx', 'abacus', 1)\n"
        "except LoadError as error: print(error.seen, '|', error.because, '|', error.hint)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.startswith("the engine mlx is not installed | ")
    assert missing in ended.stdout
    assert "pip install mlx-lm" in ended.stdout


def test_mlx_writes_nothing_while_it_loads_answers_and_fails(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100_000])
    program = (
        "import sys\n"
        "from worker.engine import Request\nfrom worker.engines import LoadError, load\n"
        "engine = load('mlx', 'abacus', 2); engine.admit(Request('1 + 1 =', seed=1))\n"
        "while not engine.step().finished: pass\n"
        "engine.close()\n"
        "try: load('mlx', sys.argv[1], 1)\n"
        "except LoadError: pass\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_the_wired_limit_is_held_below_metals_own_and_put_back() -> None:
    """No Mac here: a stand-in for mlx.core keeps what it is told."""
    from worker.engines.mlx.library import CACHE_BYTES, Settings

    told: list[tuple[str, int]] = []

    def tell(name: str, old: int) -> Callable[[int], int]:
        return lambda limit: told.append((name, limit)) or old  # type: ignore[func-returns-value]

    metal = SimpleNamespace(
        metal=SimpleNamespace(is_available=lambda: True),
        default_device=lambda: "gpu",
        device_info=lambda: {"max_recommended_working_set_size": 12 << 30},
        set_cache_limit=tell("cache", 7),
        set_wired_limit=tell("wired", 3),
        set_default_device=lambda _: None,
        synchronize=lambda: None,
        clear_cache=lambda: None,
    )
    settings = Settings(metal, gpu=True)
    settings.wire(20 << 30)
    settings.restore()
    assert told == [("cache", CACHE_BYTES), ("wired", 12 << 30), ("wired", 3), ("cache", 7)]


def test_what_is_set_for_the_process_is_put_back(run) -> None:
    import mlx.core as mx

    before, held = mx.set_cache_limit(12345), mx.get_active_memory()
    engine = load("mlx", "abacus", 2)
    assert run(engine).all([Request("1 + 1 =", seed=1, max_tokens=2)])
    assert mx.get_active_memory() > held + 2**20
    engine.close()
    assert mx.get_active_memory() <= held
    assert mx.set_cache_limit(before) == 12345
