"""`--answer code`: programs are compared by what they do, run here in a sandbox. Shell.

It stands where a user's own check would: it waits for every vote, runs the programs beside the
conversation, and passes those of the group that most of them belong to.
"""

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import msgspec

from broker.voting.behaviour import Behaviour, choose
from protocol import messages as m
from protocol.ids import Seat
from swarmctl import sandbox
from swarmctl.check import Tried, candidate_of
from swarmctl.inputs import Plan, plan
from swarmctl.text import plural


def why_no_sandbox() -> str:
    """Why programs of strangers cannot be run safely here; empty when they can."""
    try:
        sandbox.run(["pass"], [[]])
    except sandbox.NoSandbox as error:
        return str(error)
    return ""


class Behaving:
    """A checker for `swarmctl.ask`.

    `min_share`: of the programs, that do the same; with fewer none passes. `say` is told what was
    compared, in a sentence.
    """

    def __init__(self, prompt: str, min_share: float, say: Callable[[str], None]) -> None:
        self.told = False
        self._prompt = prompt
        self._min_share = min_share
        self._say = say
        self._votes: dict[Seat, m.Progress] = {}
        self._complete = False
        self._thread: threading.Thread | None = None
        self._passed: dict[Seat, bool] = {}
        self._ready = threading.Event()
        self._said: set[Seat] = set()

    def put(self, job: m.Submit) -> m.Submit:
        """The job with every vote waited for: groups are only known when all are in."""
        return msgspec.structs.replace(
            job, checked=True, watch=True, answer="code", stop="all", min_agreement=0.0
        )

    def add(self, told: m.Progress) -> None:
        """Take a vote; the last one starts the comparison. Told again: the result is said again."""
        if told.vote.answer is not None:
            self._votes[told.vote.seat] = told
            self._said.discard(told.vote.seat)
        self._complete = self._complete or told.out == 0

    def poll(self) -> Iterator[Tried]:
        """What there is to say of votes by now."""
        if self._complete and self._votes and self._thread is None:
            self._thread = threading.Thread(target=self._compare, daemon=True)
            self._thread.start()
        if not self._ready.is_set():
            return
        for seat in sorted(self._votes.keys() - self._said):
            self._said.add(seat)
            yield Tried(seat, self._passed.get(seat, False), "")

    def _compare(self) -> None:
        try:
            votes = [self._votes[seat] for seat in sorted(self._votes)]
            chosen, sentence = compare(self._prompt, votes, self._min_share)
            self._passed = {votes[number].vote.seat: True for number in chosen}
            self._say(sentence)
        except sandbox.NoSandbox as error:
            self._say(f"note: the programs could not be compared: {error}")
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """A comparison that still runs ends with this process; its programs end by themselves."""


def compare(
    prompt: str, votes: list[m.Progress], min_share: float = 0.0
) -> tuple[tuple[int, ...], str]:
    """The votes whose programs do what most do, by number, and a sentence about it.

    Raises NoSandbox.
    """
    sources = [candidate_of(told) for told in votes]
    found = plan(prompt, sources, [told.vote.text for told in votes])
    if found is None:
        return (), "note: no answer defines a function, so there is nothing to compare"
    once = list(dict.fromkeys(sources))
    ran = dict(zip(once, sandbox.run(once, [found.calls] * len(once)), strict=True))
    behaviours = [Behaviour(ran[source].values) for source in sources]
    number = {call: i for i, call in enumerate(found.calls)}
    best = choose(behaviours, {number[call]: value for call, value in found.wanted.items()})
    if best is None:
        return (), f"note: no program gives anything for {_calls(found)}"
    group = tuple(i for i, other in enumerate(behaviours) if other == behaviours[best])
    same = f"{len(group)} of {plural(len(votes), 'program')} did the same on {_calls(found)}"
    if len(group) < min_share * len(votes):
        return (), f"only {same}: below the asked {min_share:.2f}"
    return group, same


def _calls(found: Plan) -> str:
    made_up = ", with arguments made up here" if found.made_up else ""
    return f"{plural(len(found.calls), 'call')} of {found.function}(){made_up}"
