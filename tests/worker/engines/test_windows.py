"""Models whose layers see a window: it is kept and no more, and bits are those of a lone sequence.

A layer's window holds 256 cells here, the least that llama.cpp keeps, so everything runs past that.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.random_model import SHAPES, write
from detect import gguf
from detect.model import from_header
from detect.placement import engines, memory
from detect.placement.readback import parse
from worker.engine import Request
from worker.engines.llamacpp.library import load_log
from worker.engines.llamacpp.opened import Opened
from worker.engines.options import EngineOptions

SHAPE = SHAPES["tiny-window"]
OPTIONS = EngineOptions(threads=1, batch_tokens=32, context_tokens=1024)
BEYOND = 400  # tokens: more than the window's cells


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("windowed") / "windowed.gguf"
    write(path, SHAPE, "F32", seed=5)
    return str(path)


@pytest.fixture
def context_of(windowed: str) -> Iterator[object]:
    """Opens contexts of so many slots; they are closed at the end."""
    open_ones: list[Opened] = []

    def make(slots: int, options: EngineOptions = OPTIONS) -> Opened:
        open_ones.append(Opened(windowed, slots, options))
        return open_ones[-1]

    yield make
    for one in open_ones:
        one.close()


def test_a_window_takes_no_more_than_is_planned(windowed: str, context_of) -> None:
    slots = 4
    context_of(slots, EngineOptions(threads=1, context_tokens=1024))
    model = from_header(gguf.read(Path(windowed)))
    load = engines.llamacpp(model, slots, 1024, gpu=False)
    planned = sum(memory.cache_bytes(model, layer, load) for layer in model.layers)
    real = parse("\n".join(line for line in load_log if "KV buffer" in line)).total()
    assert model.window == SHAPE.window
    assert abs(real - planned) < 2 * 5_250  # logged in MiB with two decimals, a line for each kind


def test_a_row_that_moves_past_its_window_keeps_its_bits(context_of) -> None:
    """Beside a prompt under way, which the move leaves alone."""
    still, moved = context_of(1).context, context_of(3).context
    desk_still, desk_moved = context_of(1).context, moved
    prompt = [3 + at % 50 for at in range(300)]
    for at in range(0, 288, 32):
        desk_still.prefill(prompt[at : at + 32], wants_logits=True)
        desk_moved.prefill(prompt[at : at + 32], wants_logits=True)
    row = 2
    for position in range(BEYOND):
        token = 7 + position % 90
        if position in (10, 290, 350):  # within the window, past it, and again
            target = row - 1 if row else 2
            moved.move(row, target)
            moved.clear(row)
            row = target
        still.decode([token], [position], pad=True)
        moved.decode([token], [position], first=row, pad=True)
        assert moved.logits(0).tobytes() == still.logits(0).tobytes(), position
    desk_still.prefill(prompt[288:], wants_logits=True)
    desk_moved.prefill(prompt[288:], wants_logits=True)
    assert desk_moved.logits(11).tobytes() == desk_still.logits(11).tobytes()


def test_a_prompt_is_not_begun_from_one_whose_beginning_the_window_dropped(context_of) -> None:
    """The first tokens of a long prompt are no start for a short one: its window is not there."""
    fresh, used = context_of(1).context, context_of(1).context
    long = [5 + at % 70 for at in range(96)]
    for at in range(0, 96, 32):
        used.prefill(long[at : at + 32], wants_logits=False)
    state, _ = used.save(used.desk)
    assert not used.begin_desk(state, 64)
    assert used.desk_length == 0
    fresh.prefill(long[:16], wants_logits=True)
    used.prefill(long[:16], wants_logits=True)
    short, _ = used.save(used.desk)
    used.clear_desk()
    assert used.begin_desk(short, 8)
    used.prefill(long[8:16], wants_logits=True)
    assert used.logits(7).tobytes() == fresh.logits(15).tobytes()


def test_texts_in_a_batch_equal_those_alone_past_the_window(windowed: str, opened, run) -> None:
    options = {"batch_tokens": 32, "context_tokens": 1024}
    requests = [
        Request("apples " * (20 * at + 1), seed=at, max_tokens=300 + 20 * at, temperature=1.5)
        for at in range(5)
    ]
    alone = run(opened(windowed, 1, **options)).all(requests)
    together = run(opened(windowed, 3, **options)).all(requests)
    assert [c.text for c in together] == [c.text for c in alone]
    assert max(c.prompt_tokens + c.tokens for c in alone) > BEYOND
