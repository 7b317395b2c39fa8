"""Which engine `auto` means, and which form of the built-in model it is given."""

import importlib.util

import pytest

from detect import forms
from swarmctl.machine import model_facts
from worker.engines import load


@pytest.fixture
def only_mlx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Apple Silicon, where llama.cpp is not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        forms, "find_spec", lambda name: None if name == "llama_cpp" else real(name)
    )


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        ("abacus", "llamacpp"),
        ("a/Model.GGUF", "llamacpp"),
        ("folder", "mlx"),
        ("scripted:answers=1", "scripted"),
    ],
)
def test_a_models_name_tells_its_engine(model: str, engine: str) -> None:
    assert forms.engine_of(model) == engine


def test_where_only_mlx_is_installed_the_built_in_model_is_its_folder(only_mlx: None) -> None:
    assert forms.engine_of("abacus") == "mlx"
    assert model_facts("abacus").form == "mlx"
    engine = load("auto", "abacus", 2)
    assert engine.facts.engine == "mlx"
    engine.close()


def test_on_another_machine_its_own_engines_decide() -> None:
    assert forms.engine_of("abacus", ["mlx"]) == "mlx"
    assert forms.engine_of("abacus", ["llamacpp", "mlx"]) == "llamacpp"
    assert forms.engine_of("abacus", []) == "llamacpp"


def test_an_engine_that_is_named_has_its_own_form(only_mlx: None) -> None:
    assert model_facts("abacus", "llamacpp").form == "gguf"
    assert forms.built_in("llamacpp").suffix == ".gguf"
    assert forms.built_in("mlx").is_dir()
