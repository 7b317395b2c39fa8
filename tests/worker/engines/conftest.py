"""Real engines over abacus and over tiny models with random weights, written once a session."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks import random_folder, random_model
from worker.engine import Completion, Engine, Request
from worker.engines import EngineOptions, load

Models = Callable[..., str]
Loader = Callable[..., Engine]


FOLDER_TYPES = {"Q8_0": "8bit", "Q4_0": "4bit"}
"""MLX's own quantisation in place of llama.cpp's."""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The path of a tiny random model in an engine's form, written at the first call."""
    folder = tmp_path_factory.mktemp("models")

    def made(engine: str, kind: str, chat: bool, vocabulary: int = 640) -> str:
        path = folder / f"tiny-{kind}-{vocabulary}-{'chat' if chat else 'base'}-{engine}"
        if path.exists():
            return str(path)
        shape = msgspec.structs.replace(random_model.SHAPES["tiny"], vocabulary=vocabulary)
        if engine == "mlx":
            random_folder.write(path, shape, FOLDER_TYPES.get(kind, kind), seed=5, chat=chat)
        else:
            random_model.write(path, shape, kind, seed=5, chat=chat)
        return str(path)

    return made


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    """llamacpp, where a module does not ask for each engine in turn (BOTH)."""
    return str(getattr(request, "param", "llamacpp"))


@pytest.fixture
def model_files(written: Models, engine_name: str) -> Models:
    """The path of a tiny random model of one type."""

    def made(kind: str = "Q8_0", chat: bool = True, vocabulary: int = 640) -> str:
        return written(engine_name, kind, chat, vocabulary)

    return made


@pytest.fixture
def opened(engine_name: str) -> Iterator[Loader]:
    """Load an engine that is closed at the test's end. One thread: the models are tiny."""
    engines: list[Engine] = []

    def loaded(model: str = "abacus", slots: int = 8, **options: int) -> Engine:
        engine = load(engine_name, model, slots, EngineOptions(**{"threads": 1, **options}))
        engines.append(engine)
        return engine

    yield loaded
    for engine in reversed(engines):  # each puts back what it found
        engine.close()


class Run:
    """Drives an engine over many requests, more than it has slots, and keeps the counts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.prefilled = 0
        self.tokens = 0
        self.steps = 0

    def all(self, requests: list[Request]) -> list[Completion]:
        """Their completions in order; each is admitted as soon as a slot is free."""
        todo = list(enumerate(requests))
        held: dict[int, int] = {}
        done: dict[int, Completion] = {}
        while todo or held:
            while todo and len(held) < self.engine.facts.slots:
                at, request = todo.pop(0)
                held[self.engine.admit(request)] = at
            for completion in self.step():
                done[held.pop(completion.slot)] = completion
        return [done[at] for at in range(len(requests))]

    def step(self) -> tuple[Completion, ...]:
        """One step, counted."""
        step = self.engine.step()
        self.prefilled += step.prefilled
        self.tokens += step.tokens
        self.steps += 1
        assert self.steps < 20_000, "a run of a test ends"
        return step.finished


@pytest.fixture
def run() -> Callable[[Engine], Run]:
    return Run


@pytest.fixture
def question() -> str:
    return "Tom has 12 apples. He buys 3 boxes of 6 apples and gives away 7. How many does he have?"


@pytest.fixture
def spoiled(tmp_path: Path) -> Callable[[bytes], str]:
    """A model file with these bytes."""

    def written(content: bytes) -> str:
        path = tmp_path / "spoiled.gguf"
        path.write_bytes(content)
        return str(path)

    return written
