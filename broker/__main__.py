"""`python -m broker`: run this node's broker, and the workers that its settings ask for.

Ends with 0 when asked to end, 78 when the configuration or the home cannot be used, 1 on anything
else, such as a broker that already runs here.
"""

import argparse
import gc
import os
import random
import sqlite3
import sys
import time
from importlib.metadata import version
from pathlib import Path

import msgspec
import zmq

from broker import address, descriptors, identity, lock, service
from broker.core import Broker
from broker.events import Noted
from broker.journal import Journal
from broker.journal_file import NewerJournal, opened, take_up
from broker.kept import Retention
from broker.learner import Learner
from broker.placing import Placing
from broker.restore import Uncountable
from broker.state import NodeIdentity
from broker.supervisor import Supervisor
from detect import home, settings
from detect.placement.handed import PLAN_BYTES_MAX, Handed, Placement
from detect.tables import SettingsError

EXIT_CONFIG = 78  # EX_CONFIG of sysexits(3)

COLLECT_AFTER = 50_000
"""Objects made and not freed before the collector looks: more than a full queue's turn makes."""


class _Failure(Exception):
    """What the user is told before the process ends with this code."""

    def __init__(self, code: int, seen: str, because: str, hint: str) -> None:
        super().__init__(seen)
        self.code, self.because, self.hint = code, because, hint


def main() -> int:
    """Run until asked to end."""
    args = _arguments()
    try:
        return _run(args)
    except _Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        if failure.because:
            print(f"because: {failure.because}", file=sys.stderr)
        print(f"hint: {failure.hint}", file=sys.stderr)
        return failure.code


def _run(args: argparse.Namespace) -> int:
    here, chosen = _configure(args)
    placements = _planned(args.plan)
    try:
        held = lock.hold(here.lock)
    except lock.AlreadyRunning as other:
        raise _Failure(
            1,
            "a broker already runs on this home",
            f"process {other.pid} holds {here.lock}",
            f"use it, end it (swarmctl down, or kill {other.pid}), or set SWARM_HOME elsewhere",
        ) from None
    except home.HomeError as error:
        raise _Failure(EXIT_CONFIG, error.seen, error.because, error.hint) from None
    _calm_collector()
    with held:
        core, kept = _core(here, chosen)
        learner = Learner(here.state)
        if past := learner.load():
            core.recall(past)
        supervisor = Supervisor(Placing(_worker_arguments(chosen), placements))
        descriptors.make_room()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        router = _bound(context, here)
        watch = address.Watch(here.socket)
        try:
            shell = service.Service(
                core, router, supervisor, kept, learner, watch=watch, lifeline=args.lifeline
            )
            shell.run(chosen.workers)
        finally:
            router.close()
            context.term()
            if watch.is_ours():
                here.socket.unlink(missing_ok=True)
    return 0


def _bound(context: zmq.Context[zmq.Socket[bytes]], here: home.Home) -> zmq.Socket[bytes]:
    try:
        return address.bind(context, here.address)
    except address.AddressInUse as error:
        context.term()
        raise _Failure(
            1,
            "this node's address is in use",
            str(error),
            "end that program or remove the file, or set SWARM_HOME to another folder",
        ) from None


def _core(here: home.Home, chosen: settings.Settings) -> tuple[Broker, Journal | None]:
    """A core that has taken up what the journal holds, and that journal."""
    node, rng = _identity(here, chosen), random.Random(os.urandom(16))
    if chosen.durability == "none":
        return Broker(node, rng, time.monotonic()), None
    retention = Retention(chosen.keep, chosen.keep_mib << 20, chosen.keep_for_s)
    try:
        kept, notes = opened(here.state, chosen.durability)
        core = Broker(node, rng, time.monotonic(), retention)
        restored = take_up(core, kept, time.monotonic())
    except (NewerJournal, Uncountable) as error:
        raise _Failure(
            EXIT_CONFIG,
            "the journal was written by a later version",
            str(error),
            "use that version, or move the file away: its jobs are in it",
        ) from None
    except (sqlite3.Error, OSError) as error:
        raise _Failure(
            EXIT_CONFIG,
            f"the journal in {here.state} cannot be used: {error}",
            "an accepted job is only safe when it is written",
            "free some space there, or do without: --durability none",
        ) from None
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    core.handle(Noted(notes), time.monotonic())
    if restored:
        jobs = "1 unfinished job was" if restored == 1 else f"{restored} unfinished jobs were"
        print(f"note: {jobs} taken up", file=sys.stderr)
    return core, kept


def _calm_collector() -> None:
    """Look for cycles seldom: the core makes none, and by default each look costs the hot path.

    What the imports made stays for good, and need not be looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 100)


def _configure(args: argparse.Namespace) -> tuple[home.Home, settings.Settings]:
    flags = {name: value for name, value in vars(args).items() if name not in ("lifeline", "plan")}
    try:
        here = home.find()
        chosen = settings.load(here, os.environ, flags)
        home.prepare(here)
        _ = here.address
    except home.HomeError as error:
        raise _Failure(EXIT_CONFIG, error.seen, error.because, error.hint) from None
    except SettingsError as error:
        raise _Failure(EXIT_CONFIG, error.seen, error.because, error.hint) from None
    return here, chosen


def _identity(here: home.Home, chosen: settings.Settings) -> NodeIdentity:
    try:
        node = identity.node_id(here.key)
    except (identity.BadKey, OSError) as error:
        raise _Failure(
            EXIT_CONFIG,
            f"the node's key cannot be used: {error}",
            "peers know this node by it, so it is never replaced by itself",
            f"restore {here.key}, or remove it to become a new node",
        ) from None
    return NodeIdentity(
        id=node,
        name=chosen.name,
        version=version("local-swarm"),
        pid=os.getpid(),
        address=here.address,
        home=str(here.state),
    )


def _worker_arguments(chosen: settings.Settings) -> list[str]:
    arguments = ["--model", chosen.model, "--engine", chosen.engine, "--slots", str(chosen.slots)]
    if chosen.context is not None:
        arguments += ["--context", str(chosen.context)]
    return [*arguments, "--gpu-layers", str(chosen.gpu_layers)]


def _planned(file: str | None) -> tuple[Placement, ...]:
    """What `swarmctl up` planned for each worker; () when workers follow the settings."""
    if file is None:
        return ()
    try:
        with Path(file).open("rb") as opened_file:
            return msgspec.json.decode(opened_file.read(PLAN_BYTES_MAX), type=Handed).placements
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _Failure(
            EXIT_CONFIG,
            f"the plan {file} cannot be read",
            str(error),
            "swarmctl up writes it anew; or leave out --plan",
        ) from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m broker", description=__doc__)
    parser.add_argument("--workers", help="worker processes to start and keep")
    parser.add_argument("--slots", help="seeds that each worker decodes together")
    parser.add_argument("--model", help="abacus, or the path of a GGUF file")
    parser.add_argument("--engine", help="auto, llamacpp, mlx or scripted")
    parser.add_argument("--context", help="tokens that prompt and answer may take together")
    parser.add_argument("--gpu-layers", help="auto, all, or the number of the model's layers")
    parser.add_argument("--plan", help="a file with what each worker is started as", metavar="FILE")
    parser.add_argument("--durability", help="what jobs survive: none, process (a kill), power")
    parser.add_argument("--keep", help="results kept, at most")
    parser.add_argument("--keep-mib", help="of their texts")
    parser.add_argument("--keep-for", help="and for how long, such as 168h")
    parser.add_argument("--name", help="this node's name, for people")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input closes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
