"""The four ways to get k seeds of one prompt, each behind `measure(prompt, seeds) -> Measured`."""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from time import monotonic, perf_counter
from typing import Protocol

import msgspec

from detect import home
from protocol import messages as m
from protocol.ids import JobId
from swarmctl.client import Client
from swarmctl.follow import Follow
from worker.engine import Engine, Request
from worker.engines import EngineOptions, load
from worker.engines.batched.tail import MIN_P, TOP_K, TOP_P

CONTEXT_TOKENS = 512  # the same room for every contender; prompts and answers are far shorter
TEMPERATURE = 0.8
START_S = 120.0  # a node on a busy machine, reading half a gigabyte


class Setting(msgspec.Struct, frozen=True):
    """What is the same for all contenders."""

    model: str  # a path
    engine: str
    slots: int
    threads: int
    tokens_max: int  # of one answer


class Measured(msgspec.Struct, frozen=True):
    """One wave of seeds. `prefilled` is -1 where the contender does not tell."""

    tokens: int
    time_s: float
    prefilled: int = -1

    @property
    def tokens_s(self) -> float:
        """Tokens of all seeds together, by the second; prefill takes part of the time."""
        return self.tokens / self.time_s


class Contender(Protocol):
    """Loaded before the first wave and closed after the last."""

    def measure(self, prompt: str, seeds: Sequence[int]) -> Measured:
        """Answer one prompt under these seeds."""

    def close(self) -> None:
        """Free what was loaded."""


class Direct:
    """`engine`: the worker's engine, called in this process."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._engine = open_engine(setting, setting.slots, setting.threads)

    def measure(self, prompt: str, seeds: Sequence[int]) -> Measured:
        """All seeds in one batch."""
        return wave(self._engine, self._setting, prompt, seeds)

    def close(self) -> None:
        """Free the model."""
        self._engine.close()


class Sequential:
    """`sequential`: the high-level class of llama-cpp-python, one call after another."""

    def __init__(self, setting: Setting) -> None:
        import llama_cpp

        self._setting = setting
        self._llama = llama_cpp.Llama(
            model_path=setting.model,
            n_ctx=CONTEXT_TOKENS,
            n_threads=setting.threads,
            n_threads_batch=setting.threads,
            n_gpu_layers=-1,
            verbose=False,
        )

    def measure(self, prompt: str, seeds: Sequence[int]) -> Measured:
        """One chat completion for each seed, with the samplers that our engine uses."""
        began = perf_counter()
        tokens = 0
        for seed in seeds:
            answer = self._llama.create_chat_completion(
                messages=[{"role": "user", "content": prompt}],
                max_tokens=self._setting.tokens_max,
                temperature=TEMPERATURE,
                top_k=TOP_K,
                top_p=TOP_P,
                min_p=MIN_P,
                seed=seed,
            )
            tokens += answer["usage"]["completion_tokens"]
        return Measured(tokens, perf_counter() - began)

    def close(self) -> None:
        """Free the model."""
        self._llama.close()


class SequentialMlx:
    """`sequential` of the engine mlx: mlx-lm's stream_generate, one call after another."""

    def __init__(self, setting: Setting) -> None:
        import mlx_lm

        self._setting = setting
        self._model, self._tokenizer = mlx_lm.load(setting.model)[:2]

    def measure(self, prompt: str, seeds: Sequence[int]) -> Measured:
        """One answer for each seed, with the samplers that our engine uses."""
        import mlx.core as mx
        from mlx_lm import stream_generate
        from mlx_lm.sample_utils import make_sampler

        began = perf_counter()
        tokens = 0
        asked = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True
        )
        for seed in seeds:
            mx.random.seed(seed)
            sampler = make_sampler(temp=TEMPERATURE, top_p=TOP_P, min_p=MIN_P, top_k=TOP_K)
            said = stream_generate(
                self._model,
                self._tokenizer,
                asked,
                max_tokens=self._setting.tokens_max,
                sampler=sampler,
            )
            tokens += sum(1 for _ in said)
        return Measured(tokens, perf_counter() - began)

    def close(self) -> None:
        """Let go of the model."""
        self._model = self._tokenizer = None


class Processes:
    """`processes`: the seeds dealt over as many processes as cores, an engine in each."""

    def __init__(self, setting: Setting, count: int) -> None:
        start = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._children = []
        for _ in range(count):
            ours, theirs = start.Pipe()
            threads = max(1, setting.threads // count)
            child = start.Process(target=_serve, args=(theirs, setting, threads), daemon=True)
            child.start()
            self._pipes.append(ours)
            self._children.append(child)
        for pipe in self._pipes:
            pipe.recv()  # loaded

    def measure(self, prompt: str, seeds: Sequence[int]) -> Measured:
        """Each process computes the prompt again and decodes its share in one batch."""
        count = len(self._pipes)
        began = perf_counter()
        asked = [
            (pipe, share)
            for at, pipe in enumerate(self._pipes)
            if (share := list(seeds[at::count]))
        ]
        for pipe, share in asked:
            pipe.send((prompt, share))
        tokens, prefilled = map(sum, zip(*(pipe.recv() for pipe, _ in asked), strict=True))
        return Measured(tokens, perf_counter() - began, prefilled)

    def close(self) -> None:
        """End the processes."""
        for pipe, child in zip(self._pipes, self._children, strict=True):
            pipe.send(None)
            child.join()


class Node:
    """`node`: a real node in a home of its own, asked through its socket like any client does."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-seeds-")
        self._env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SWARM_")},
            "SWARM_HOME": self._folder.name,
        }
        options = (
            *("--engine", setting.engine, "--model", setting.model, "--workers", "1"),
            *("--slots", str(setting.slots), "--context", str(CONTEXT_TOKENS)),
            *("--yes", "--detach"),
        )
        try:
            self._swarmctl("up", *options)
            self._client = Client(home.find(self._env))
        except BaseException:
            self._stop()
            raise

    def measure(self, prompt: str, seeds: Sequence[int]) -> Measured:
        """One job of as many votes. The broker deals its own seeds, from the first given."""
        job = m.Submit(
            job=JobId(str(uuid.uuid4())),
            prompt=prompt,
            votes=len(seeds),
            answer="text",
            temperature=TEMPERATURE,
            max_tokens=self._setting.tokens_max,
            seed=seeds[0],
            stop="all",
            timeout_s=600.0,
        )
        began = perf_counter()
        follow = Follow(monotonic())
        self._client.send(*follow.add(job, monotonic()))
        for said in self._client.listen(follow):
            if isinstance(said, m.Verdict):
                if said.cast + said.abstained != len(seeds):
                    raise RuntimeError(f"the node answered {said.cast} of {len(seeds)}: {said}")
                return Measured(said.tokens, perf_counter() - began)
        raise RuntimeError("the node gave no verdict")

    def close(self) -> None:
        """Stop the node and forget its home."""
        self._client.close()
        self._stop()

    def _stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # there is nothing to stop
            self._swarmctl("down", "--now")
        self._folder.cleanup()

    def _swarmctl(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "swarmctl.app", *words],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"swarmctl {words[0]} failed: {done.stderr.strip()}")


@contextlib.contextmanager
def opened(setting: Setting, names: Sequence[str]) -> Iterator[dict[str, Contender]]:
    """The contenders of these names, loaded; `processes` has one for a single seed too."""
    cores = setting.threads
    makers: dict[str, Callable[[], Contender]] = {
        "engine": lambda: Direct(setting),
        "sequential": lambda: (
            SequentialMlx(setting) if setting.engine == "mlx" else Sequential(setting)
        ),
        "processes": lambda: Processes(setting, cores),
        "node": lambda: Node(setting),
    }
    with contextlib.ExitStack() as closing:
        loaded: dict[str, Contender] = {}
        for name in names:
            loaded[name] = makers[name]()
            closing.callback(loaded[name].close)
        yield loaded


def open_engine(setting: Setting, slots: int, threads: int) -> Engine:
    """The worker's engine as every contender of ours opens it."""
    options = EngineOptions(context_tokens=CONTEXT_TOKENS, threads=threads)
    return load(setting.engine, setting.model, slots, options)


def wave(engine: Engine, setting: Setting, prompt: str, seeds: Sequence[int]) -> Measured:
    """Answer one prompt under these seeds in an idle engine."""
    began = perf_counter()
    for seed in seeds:
        engine.admit(Request(prompt, seed, "", TEMPERATURE, setting.tokens_max))
    left, tokens, prefilled = len(seeds), 0, 0
    while left:
        step = engine.step()
        left -= len(step.finished)
        prefilled += step.prefilled
        tokens += sum(done.tokens for done in step.finished)
    return Measured(tokens, perf_counter() - began, prefilled)


def _serve(pipe: Connection, setting: Setting, threads: int) -> None:
    """The life of one child: load, answer waves, end at None or when the parent is gone."""
    engine = open_engine(setting, setting.slots, threads)
    pipe.send("loaded")
    with contextlib.suppress(EOFError):
        while (asked := pipe.recv()) is not None:
            prompt, seeds = asked
            done = wave(engine, setting, prompt, seeds)
            pipe.send((done.tokens, done.prefilled))
    engine.close()
