"""`--answer code`: programs are compared by what they do, run here in a sandbox. Shell.

It passes the programs of the group that most of them belong to.
"""

from broker.voting.behaviour import Behaviour, choose
from protocol import messages as m
from swarmctl import sandbox
from swarmctl.check import candidate_of
from swarmctl.inputs import Plan, plan
from swarmctl.text import plural
from swarmctl.together import Together


def why_no_sandbox() -> str:
    """Why programs of strangers cannot be run safely here; empty when they can."""
    try:
        sandbox.run(["pass"], [[]])
    except sandbox.NoSandbox as error:
        return str(error)
    return ""


class Behaving(Together):
    """A checker for `swarmctl.ask`. `min_share`: of the programs, that must do the same."""

    answer = "code"

    def __init__(self, prompt: str, min_share: float) -> None:
        super().__init__()
        self._prompt = prompt
        self._min_share = min_share

    def choose(self, votes: list[m.Progress], leader: str | None) -> tuple[tuple[int, ...], str]:
        """The programs that do what most do. The count of their texts means nothing."""
        try:
            return compare(self._prompt, votes, self._min_share)
        except sandbox.NoSandbox as error:
            return (), f"the programs could not be compared: {error}"


def compare(
    prompt: str, votes: list[m.Progress], min_share: float = 0.0
) -> tuple[tuple[int, ...], str]:
    """The votes whose programs do what most do, by number, and a sentence about it.

    Raises NoSandbox.
    """
    sources = [candidate_of(told) for told in votes]
    found = plan(prompt, sources, [told.vote.text for told in votes])
    if found is None:
        return (), "no answer defines a function, so there is nothing to compare"
    once = list(dict.fromkeys(sources))
    ran = dict(zip(once, sandbox.run(once, [found.calls] * len(once)), strict=True))
    behaviours = [Behaviour(ran[source].values) for source in sources]
    number = {call: i for i, call in enumerate(found.calls)}
    best = choose(behaviours, {number[call]: value for call, value in found.wanted.items()})
    if best is None:
        return (), f"no program gives anything for {_calls(found)}"
    group = tuple(i for i, other in enumerate(behaviours) if other == behaviours[best])
    same = f"{len(group)} of {plural(len(votes), 'program')} did the same on {_calls(found)}"
    if len(group) < min_share * len(votes):
        return (), f"only {same}: below the asked {min_share:.2f}"
    return group, same


def _calls(found: Plan) -> str:
    made_up = ", with arguments made up here" if found.made_up else ""
    return f"{plural(len(found.calls), 'call')} of {found.function}(){made_up}"
