"""An outsider's books on processes: which started when, what died with which seats, whose name."""

from collections import Counter
from typing import TYPE_CHECKING

from broker import events as ev
from broker.conduct import DEATHS_MAX
from broker.core import Broker
from broker.fleet import BACKOFF_S, BACKOFF_S_MAX, FAILURES_MAX, STABLE_S
from broker.roster import Voter
from protocol import messages as m
from protocol.ids import JobId, WorkerId
from tests.simulation.network import Heard, Told

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle


class Processes:
    """Of one broker's life."""

    def __init__(self) -> None:
        self._exits: dict[WorkerId, list[float]] = {}  # since somebody said SCALE
        self._final: set[WorkerId] = set()
        self._ready_at: dict[WorkerId, float] = {}
        self._deaths: Counter[JobId] = Counter()
        self._holders: dict[WorkerId, Voter] = {}  # of the names that are said in this step
        self._lost: list[JobId] = []  # whose voter dies in this step

    # ------------------------------------------------------------ our own

    def spawned(self, worker: WorkerId, now: float) -> None:
        """Each start waits twice as long as the last, and after so many there is none."""
        exits = self._exits.get(worker, [])
        assert worker not in self._final, f"{worker} is started, though its model cannot be loaded"
        assert len(exits) < FAILURES_MAX, f"{worker} is started after {len(exits)} ends in a row"
        if exits:
            wait_s = min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (len(exits) - 1))
            rested_s = now - exits[-1]
            assert rested_s >= wait_s - 1e-6, f"{worker} is started again after {rested_s:.2f} s"

    def _ended(self, event: ev.ChildExited, now: float) -> None:
        worker = event.worker
        if now - self._ready_at.pop(worker, now) >= STABLE_S:
            self._exits.pop(worker, None)
        self._exits.setdefault(worker, []).append(now)
        if event.final:
            self._final.add(worker)

    def scaled(self) -> None:
        """Somebody wants it to be tried anew."""
        self._exits.clear()
        self._final.clear()

    # ------------------------------------------------------------ deaths

    def before(self, event: Told, core: Broker, now: float) -> None:
        """Something is about to be told: note who dies of it, and with which jobs."""
        self._lost, self._holders = [], {}
        roster = core.state.roster
        match event:
            case Heard(said=(m.Ready(worker=worker), *_)):
                voter = roster.by_id.get(worker)
                if voter is not None and voter.state == "alive":
                    self._holders[worker] = voter
                return
            case ev.ChildExited(worker=worker):
                self._ended(event, now)
                voter = None if event.asked else roster.by_id.get(worker)
            case ev.Unreachable(route=route):
                voter = roster.by_route.get(route)
            case _:
                return
        if voter is not None:
            self._lost = list(dict.fromkeys(job for job, _ in voter.open))

    def after(self, books: "Oracle") -> None:
        """A job ends when so many voters have died at it."""
        for job in self._lost:
            self._deaths[job] += 1
            died = self._deaths[job]
            over = job in books.ended or job not in books.accepted
            assert over or died < DEATHS_MAX, f"{job}: {died} voters died at it, and it goes on"

    def poisonous(self, verdict: m.Verdict) -> None:
        """No job is called so for less."""
        died = self._deaths[verdict.job] + self._lost.count(verdict.job)
        assert died >= DEATHS_MAX, f"{verdict.job}: poisonous after {died} deaths"

    # ------------------------------------------------------------ names

    def joined(self, route: bytes, said: m.Ready, now: float) -> None:
        """A name that somebody alive holds is nobody else's."""
        holder = self._holders.get(said.worker)
        taken = holder is not None and holder.route != route and holder.ready.pid != said.pid
        assert not taken, f"{said.worker} is taken, and its holder is alive"
        self._ready_at.setdefault(said.worker, now)
