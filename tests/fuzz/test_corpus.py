"""Every input that is kept, through its target without a fuzzer, and joined with others."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import NEXT, TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())

CORPUS_BYTES_MAX = 100_000
FILES_MAX = 150


def test_the_corpus_is_small_and_has_inputs_for_each_target() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
    assert sum(path.stat().st_size for path in INPUTS) <= CORPUS_BYTES_MAX
    assert len(INPUTS) <= FILES_MAX


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_that_is_kept_breaks_nothing(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_inputs_that_are_cut_and_joined_break_nothing(name: str, data: st.DataObject) -> None:
    kept = [path.read_bytes() for path in INPUTS if path.parent.name == name]
    one, other = data.draw(st.sampled_from(kept)), data.draw(st.sampled_from(kept))
    at = data.draw(st.integers(0, len(one)))
    to = data.draw(st.integers(0, len(other)))
    middle = data.draw(st.one_of(st.just(b""), st.just(NEXT), st.binary(max_size=6)))
    TARGETS[name](one[:at] + middle + other[to:])
