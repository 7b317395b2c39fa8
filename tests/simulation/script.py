"""What happens to a world from outside: commands and faults, as values that can be left out."""

import msgspec

from protocol import messages as m


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command or fault: at this moment, to this node."""

    at: float  # virtual seconds from the start
    node: int
    kind: str  # the name of a function in `commands`, `faults` or `lies`
    who: int = 0  # which worker or client; taken modulo those that are there
    n: int = 0
    s: float = 0.0  # a duration
    what: str = ""
    submit: m.Submit | None = None

    def __str__(self) -> str:
        rest = [
            f"{name}={value}"
            for name in ("who", "n", "s", "what")
            if (value := getattr(self, name))
        ]
        job = [] if self.submit is None else [f"{self.submit.job} votes={self.submit.votes}"]
        return " ".join([f"{self.at:9.4f}  node {self.node}  {self.kind}", *job, *rest])


class Script(msgspec.Struct, frozen=True):
    """A whole run: the same script gives the same history."""

    seed: int
    nodes: int
    end_at: float
    entries: tuple[Entry, ...]
