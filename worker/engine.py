"""The one contract between a worker and the library that generates: admit, step, cancel, close.

The worker's own loop calls `step`, so that polling, cancelling and heartbeats happen between steps.
An engine is used from one thread only, never blocks longer than one step, and starts no thread
that outlives it. An engine owns a fixed number of slots; a slot holds one sequence.
"""

from typing import Literal, Protocol

import msgspec

Finish = Literal["stop", "length", "cancelled", "error"]
"""stop: the model ended or a stop string was met; length: max_tokens or the context's end."""


class Request(msgspec.Struct, frozen=True):
    """One generation asked of an engine: what a seat of a ballot becomes inside a worker."""

    prompt: str
    seed: int  # 0 to 2**31 - 1; the same seed gives the same text
    system: str = ""
    temperature: float = 0.8  # 0 is greedy
    max_tokens: int = 512  # of the answer
    stop: tuple[str, ...] = ()  # the answer ends before the first of these, which is left out


class Completion(msgspec.Struct, frozen=True):
    """The end of a request: its text, and what it cost."""

    slot: int
    text: str
    finish: Finish
    prompt_tokens: int  # in the rendered prompt, whether computed here or shared
    tokens: int  # sampled for this request, the end-of-text token included
    error: str = ""  # why, when finish is "error"


class Step(msgspec.Struct, frozen=True):
    """What one step did, over all slots."""

    tokens: int = 0  # sampled
    prefilled: int = 0  # prompt tokens really computed: shared ones count once
    finished: tuple[Completion, ...] = ()


class EngineFacts(msgspec.Struct, frozen=True):
    """What an engine knows of itself once its model is loaded."""

    engine: str  # llamacpp, mlx, openai, scripted
    engine_version: str
    model: str  # a short name for people
    digest: str  # "sha256:…" of the model file: the model's identity
    slots: int
    context_tokens: int  # the most that prompt and answer of one sequence may take together
    notes: tuple[str, ...] = ()  # what a user should know, such as "runs on the CPU"
    load_log: str = ""  # what was said of layers and buffers; detect.placement.readback
    tokens_per_s: dict[int, float] = {}  # decoded by a batch, by its sequences; measured at load


class Refused(Exception):
    """The engine will not take this request; the text says what was seen and what to do next."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class Engine(Protocol):
    """Slots over one loaded model. See the module's docstring for the rules of use."""

    @property
    def facts(self) -> EngineFacts:
        """What is loaded; constant for the engine's life."""

    def admit(self, request: Request) -> int:
        """Take a request into a free slot and return the slot; no token is computed yet.

        Raises Refused when the request can never run here (prompt longer than the context).
        Calling it without a free slot is a bug of the caller (AssertionError).
        """

    def step(self) -> Step:
        """Advance every occupied slot by one token, or by one chunk of prefill.

        A slot named in `finished` is free when this returns. With no slot occupied: Step().
        """

    def cancel(self, slot: int) -> Completion:
        """End the request in this slot now, in mid-sentence; the slot is free at once."""

    def close(self) -> None:
        """Free the model and everything with it; the engine is not used afterwards."""
