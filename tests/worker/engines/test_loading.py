"""What can go wrong before the first token, each said in a way that helps."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.engines import ABACUS, SLOTS_MAX, LoadError, load


def _refused(model: str, engine: str = "auto", slots: int = 1) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(engine, model, slots)
    assert caught.value.seen
    assert caught.value.hint
    return caught.value


def test_a_missing_file_is_named() -> None:
    error = _refused("nowhere/missing.gguf")
    assert "nowhere/missing.gguf" in error.seen
    assert error.because == "No such file or directory"


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    assert "Is a directory" in _refused(str(tmp_path), engine="llamacpp").because


def test_a_file_that_is_no_gguf_says_how_it_begins(spoiled) -> None:
    error = _refused(spoiled(b"PK\x03\x04 a zip file"))
    assert "not a GGUF file" in error.seen
    assert "PK" in error.because


def test_an_empty_file_is_no_gguf(spoiled) -> None:
    assert "not a GGUF file" in _refused(spoiled(b"")).seen


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.9999])
def test_a_truncated_file_is_called_incomplete_and_the_process_lives(spoiled, share) -> None:
    whole = ABACUS.read_bytes()
    error = _refused(spoiled(whole[: max(5, int(len(whole) * share))]))
    assert "incomplete or damaged" in error.seen
    assert error.because  # llama.cpp's own words


def test_a_gguf_of_an_unknown_kind_quotes_the_library(spoiled) -> None:
    whole = ABACUS.read_bytes()
    strange = whole.replace(b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05\0\0\0\0\0\0\0blama", 1)
    assert strange != whole
    assert "blama" in _refused(spoiled(strange)).because


def test_a_file_of_noise_after_the_magic_is_refused(spoiled) -> None:
    assert _refused(spoiled(b"GGUF" + b"\xff" * 4000)).because


def test_a_context_that_memory_cannot_hold_is_refused() -> None:
    from worker.engines import EngineOptions

    with pytest.raises(LoadError) as caught:
        load("llamacpp", "abacus", 8, EngineOptions(context_tokens=2**27))
    assert "no room for 8 slots" in caught.value.seen
    assert "--context" in caught.value.hint


def test_a_context_too_small_for_a_word_is_refused() -> None:
    from worker.engines import EngineOptions

    with pytest.raises(LoadError, match="--context is 3"):
        load("llamacpp", "abacus", 1, EngineOptions(context_tokens=3))


@pytest.mark.parametrize("slots", [0, -1, SLOTS_MAX + 1])
def test_slots_outside_the_bound_are_refused(slots: int) -> None:
    assert str(SLOTS_MAX) in _refused("abacus", slots=slots).because


def test_a_later_engine_is_not_available_and_the_hint_names_those_that_are() -> None:
    error = _refused("abacus", engine="openai")
    assert "not available" in error.seen
    assert "llamacpp" in error.hint


def test_an_unknown_engine_is_named() -> None:
    assert "steam" in _refused("abacus", engine="steam").seen


def test_auto_does_not_guess_an_engine_for_a_model_it_does_not_know() -> None:
    assert "qwen3-4b" in _refused("qwen3-4b").seen


def test_without_its_package_the_engine_says_what_to_install() -> None:
    """In a process of its own, where the package is hidden."""
    program = (
        "import sys; sys.modules['llama_cpp'] = None\n"
        "from worker.engines import LoadError, load\n"
        "try: load('llamacpp', 'abacus', 1)\n"
        "except LoadError as error: print(error.seen, '|', error.hint)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "not installed" in ended.stdout
    assert "pip install llama-cpp-python" in ended.stdout


def test_importing_the_engines_imports_no_library_that_generates() -> None:
    program = "import sys, worker.engines; print({'llama_cpp', 'numpy', 'mlx'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.strip() == "set()"


def test_the_library_writes_nothing_while_it_loads_answers_and_fails(tmp_path: Path) -> None:
    (tmp_path / "torn.gguf").write_bytes(ABACUS.read_bytes()[:100_000])
    program = (
        "import sys\n"
        "from worker.engine import Request\nfrom worker.engines import LoadError, load\n"
        "engine = load('llamacpp', 'abacus', 2); engine.admit(Request('1 + 1 =', seed=1))\n"
        "while not engine.step().finished: pass\n"
        "engine.close()\n"
        "try: load('llamacpp', sys.argv[1], 1)\n"
        "except LoadError: pass\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "torn.gguf")], capture_output=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_the_facts_say_what_is_loaded(opened) -> None:
    import hashlib

    facts = opened(slots=3).facts
    assert (facts.engine, facts.model, facts.slots) == ("llamacpp", "abacus", 3)
    assert facts.context_tokens == 512
    assert facts.digest == f"sha256:{hashlib.sha256(ABACUS.read_bytes()).hexdigest()}"
    assert any("CPU" in note for note in facts.notes)


def test_a_base_model_says_that_it_has_no_template(opened, model_files) -> None:
    assert any("base model" in note for note in opened(model_files(chat=False)).facts.notes)
