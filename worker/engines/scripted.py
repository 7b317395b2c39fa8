"""Answers from a stable hash of (seed, prompt): for queue benchmarks, simulations, chaos tests.

It is no model and says so in its facts. Its reference is a line of settings:

    reference = "scripted:" [ setting *( ";" setting ) ]
    setting   = "echo"                      the prompt comes back as the text, in one step
              | "answers=" answer *( "," answer )      answer = TEXT [ "*" WEIGHT ]
              | "tokens=" N                 steps that one answer takes (default 1)
              | "step_s=" SECONDS           how long each step lasts (default 0)
              | "fail=" ( "load" | "exit" | "hang" | "error" )
              | "after=" N                  steps before `fail` strikes (default 0; not for load)

`scripted:answers=42*6,41*2;tokens=20` says 42 to three prompts and seeds out of four.
fail: load raises LoadError; exit ends the process, as a crash would; hang never returns from a
step; error ends every request with finish "error".

This file is pure, so the simulator can step thousands of these; sleeping, hanging and dying are
done by the function it is given (worker/engines/misbehave.py).
"""

import hashlib
from collections.abc import Callable
from typing import Literal

import msgspec

from worker.engine import Completion, EngineFacts, Finish, Refused, Request, Step
from worker.engines.options import LoadError

PREFIX = "scripted:"
CONTEXT_TOKENS = 1_000_000  # characters of a prompt; far above what a message may hold
TOKENS_MAX = 1_000_000
_EMPTY = Step()


class Script(msgspec.Struct, frozen=True):
    """The settings of one scripted engine."""

    echo: bool = False
    answers: tuple[tuple[str, int], ...] = (("42", 1),)  # text and weight
    tokens: int = 1
    step_s: float = 0.0
    fail: Literal["", "load", "exit", "hang", "error"] = ""
    after: int = 0

    def choose(self, seed: int, prompt: str) -> str:
        """The answer to one prompt under one seed; the same on every machine."""
        total = sum(weight for _, weight in self.answers)
        digest = hashlib.blake2b(f"{seed}\0{prompt}".encode(), digest_size=8).digest()
        at = int.from_bytes(digest) % total
        for text, weight in self.answers:
            at -= weight
            if at < 0:
                return text
        raise AssertionError("a remainder is below the total")


Act = Callable[[Script, bool], None]
"""Does what a script asks for beside answering: told the script, and whether it fails now."""


def nothing(script: Script, fails: bool) -> None:
    """Neither sleep nor fail, as in a simulation."""


class _Live:
    __slots__ = ("prompt_tokens", "text", "tokens", "wanted")

    def __init__(self, text: str, prompt_tokens: int, wanted: int) -> None:
        self.text = text
        self.prompt_tokens = prompt_tokens
        self.tokens = 0
        self.wanted = wanted  # tokens until the end, or until max_tokens


class Scripted:
    """An engine without a model: each slot counts steps, then gives its answer."""

    def __init__(self, reference: str, script: Script, slots: int, act: Act = nothing) -> None:
        self._script = script
        self._act = act
        self._free = list(range(slots - 1, -1, -1))
        self._live: dict[int, _Live] = {}
        self._steps = 0
        self._plain = not script.fail and not script.step_s  # nothing to do besides counting
        self._facts = EngineFacts(
            engine="scripted",
            engine_version="1",
            model=reference,
            digest=f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}",
            slots=slots,
            context_tokens=CONTEXT_TOKENS,
            notes=("no model: answers come from a script",),
        )

    @property
    def facts(self) -> EngineFacts:
        """What is loaded: no model."""
        return self._facts

    def admit(self, request: Request) -> int:
        """Take a request into a free slot; a prompt token is a character here."""
        size = len(request.prompt)
        if size >= CONTEXT_TOKENS:
            raise Refused(
                f"the prompt has {size} characters; {CONTEXT_TOKENS} are too many", "shorten it"
            )
        script = self._script
        text = request.prompt if script.echo else script.choose(request.seed, request.prompt)
        slot = self._free.pop()
        self._live[slot] = _Live(text, size, min(script.tokens, max(1, request.max_tokens)))
        return slot

    def step(self) -> Step:
        """Count one token for every live slot."""
        if not self._live:
            return _EMPTY
        if not self._plain and self._acted():
            return Step(finished=tuple(self._end(slot, "error") for slot in list(self._live)))
        done = []
        for slot, live in self._live.items():
            live.tokens += 1
            if live.tokens >= live.wanted:
                done.append(slot)
        tokens = len(self._live)
        return Step(tokens=tokens, finished=tuple([self._end(slot) for slot in done]))

    def cancel(self, slot: int) -> Completion:
        """End the request in this slot now."""
        return self._end(slot, "cancelled")

    def close(self) -> None:
        """Nothing is held."""

    def _end(self, slot: int, finish: Finish | None = None) -> Completion:
        live = self._live.pop(slot)
        self._free.append(slot)
        whole = live.tokens >= self._script.tokens
        return Completion(
            slot=slot,
            text=live.text if whole else "",
            finish=finish or ("stop" if whole else "length"),
            prompt_tokens=live.prompt_tokens,
            tokens=live.tokens,
            error="the script says so" if finish == "error" else "",
        )

    def _acted(self) -> bool:
        """Misbehave as the script says; True when every request ends in error now."""
        self._steps += 1
        fails = self._steps > self._script.after
        self._act(self._script, fails)
        return fails and self._script.fail == "error"


def load(reference: str, slots: int, act: Act = nothing) -> Scripted:
    """The engine for a reference as in the module's docstring; raises LoadError."""
    script = parse(reference)
    if script.fail == "load":
        raise LoadError("the scripted engine does not load", "its script says so")
    return Scripted(reference, script, slots, act)


def parse(reference: str) -> Script:
    """Read a reference; raises LoadError, naming the setting that cannot be read."""
    values: dict[str, object] = {}
    for setting in filter(None, reference.removeprefix(PREFIX).split(";")):
        name, _, text = setting.partition("=")
        reader = _READERS.get(name.strip())
        if reader is None:
            raise _unreadable(setting, f"settings are {', '.join(_READERS)}")
        try:
            values[name.strip()] = reader(text.strip())
        except ValueError as error:
            raise _unreadable(setting, str(error)) from error
    return Script(**values)  # type: ignore[arg-type]  # each reader returns its field's type


def _unreadable(setting: str, why: str) -> LoadError:
    hint = "see the grammar in worker/engines/scripted.py"
    return LoadError(f"cannot read {setting!r} in the scripted engine's reference", why, hint)


def _echo(text: str) -> bool:
    if text not in ("", "1"):
        raise ValueError("echo takes no value")
    return True


def _answers(text: str) -> tuple[tuple[str, int], ...]:
    pairs = []
    for one in text.split(","):
        answer, star, weight = one.rpartition("*")
        pairs.append((answer, _whole(weight, 1)) if star else (one, 1))
    return tuple(pairs)


def _whole(text: str, least: int) -> int:
    number = int(text)
    if not least <= number <= TOKENS_MAX:
        raise ValueError(f"{number} is not between {least} and {TOKENS_MAX}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 60:
        raise ValueError(f"{number} is not between 0 and 60 seconds")
    return number


def _fail(text: str) -> str:
    if text not in ("load", "exit", "hang", "error"):
        raise ValueError("fail is load, exit, hang or error")
    return text


_READERS: dict[str, Callable[[str], object]] = {
    "echo": _echo,
    "answers": _answers,
    "tokens": lambda text: _whole(text, 1),
    "step_s": _seconds,
    "fail": _fail,
    "after": lambda text: _whole(text, 0),
}
