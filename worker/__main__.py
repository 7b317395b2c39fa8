"""`python -m worker`: load a model, prove it with one token, and offer its slots to the broker.

Ends with 0 when asked to leave, 78 when its configuration cannot work (no such model, no engine,
no room), 1 on anything else, and while there is no room yet after the system killed it for memory.
With --lifeline it ends when its standard input closes, however busy it is.
"""

import argparse
import os
import signal
import sys
import threading
import time

import zmq

from detect import home
from detect.process import resident_bytes
from protocol import frames
from protocol import messages as m
from protocol.ids import WorkerId
from worker import core, placed
from worker.engine import Completion, Engine, Request
from worker.engines import EngineOptions, LoadError, load
from worker.service import Service, dial

EXIT_CONFIG = 78  # EX_CONFIG of sysexits(3): starting again would fail again


def main() -> int:
    """Run one worker."""
    args = _arguments()
    if args.lifeline:
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node to interpret
    name = WorkerId(args.name or f"w{os.getpid()}")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = dial(context, home.find().address)
    try:
        return _serve(args, name, socket)
    except LoadError as error:
        _say(f"error: {error.seen}\nbecause: {error.because}\nhint: {error.hint}")
        reason = f"{error.seen}: {error.because}" if error.because else error.seen
        socket.send(next(frames.pack([frames.encode(m.Gone(reason, worker=name))])))
        return 1 if error.no_room and _came_back(args) else EXIT_CONFIG
    finally:
        socket.close()
        context.term()


def _came_back(args: argparse.Namespace) -> bool:
    """Whether the system killed it for memory before: what is full now may be free in a moment."""
    return bool(args.placement and placed.parse(args.placement).steps)


def _serve(args: argparse.Namespace, name: WorkerId, socket: zmq.Socket[bytes]) -> int:
    engine, notes = _load(args)
    try:
        ready = _prove(engine, name, notes)
        service = Service(core.Worker(ready, time.monotonic()), engine, socket)
        signal.signal(signal.SIGTERM, lambda *_: service.ask_to_stop())
        if not args.lifeline:
            signal.signal(signal.SIGINT, lambda *_: service.ask_to_stop())
        service.run()
    finally:
        engine.close()
    return 0


def _load(args: argparse.Namespace) -> tuple[Engine, tuple[str, ...]]:
    """The engine, and what to say of how it was loaded. Raises LoadError."""
    if args.placement:
        return placed.load_placed(placed.parse(args.placement))
    options = EngineOptions(
        context_tokens=args.context, gpu_layers=args.gpu_layers, threads=args.threads
    )
    return load(args.engine, args.model, args.slots, options), ()


def _prove(engine: Engine, name: WorkerId, notes: tuple[str, ...]) -> m.Ready:
    """Answer a real one-token request: only a worker that has done so is eligible.

    Raises LoadError when the engine gives no token.
    """
    slot = engine.admit(Request(prompt="1 + 1 =", seed=0, max_tokens=1))
    began = time.monotonic()
    done: Completion | None = None
    while done is None:
        done = next((c for c in engine.step().finished if c.slot == slot), None)
    if done.finish == "error" or done.tokens < 1:
        raise LoadError(f"the model {engine.facts.model} gives no token", done.error, "")
    facts = engine.facts
    alone = round(1 / max(time.monotonic() - began, 1e-6), 1)  # with its prompt, and a cold start
    return m.Ready(
        worker=name,
        pid=os.getpid(),
        engine=facts.engine,
        engine_version=facts.engine_version,
        model=facts.model,
        digest=facts.digest,
        slots=facts.slots,
        context_tokens=facts.context_tokens,
        tokens_per_s=facts.tokens_per_s.get(1, alone),
        memory_bytes=resident_bytes(),
        notes=(*notes, *facts.notes),
    )


def _die_with_parent() -> None:
    """End at once when standard input closes: the broker is gone and nothing here is wanted.

    A thread, since the engine may be deep in one long step; os._exit, since that step cannot be
    interrupted. Nothing is lost by it: whatever this worker held is seated again.
    """

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument(
        "--model", default="abacus", help="abacus, a GGUF file, or a folder in MLX form"
    )
    parser.add_argument("--engine", default="auto", help="auto, llamacpp, mlx or scripted")
    parser.add_argument("--slots", type=int, default=8, help="seeds decoded in one batch")
    parser.add_argument("--context", type=int, default=None, help="tokens of prompt and answer")
    parser.add_argument("--gpu-layers", type=_layers, default=None, help="auto, all or a number")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument(
        "--placement", default="", metavar="JSON", help="a planned worker, in place of these flags"
    )
    parser.add_argument("--name", default="", help="as it stands in `swarmctl workers`")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input closes")
    return parser.parse_args()


def _layers(text: str) -> int | None:
    """Layers of the model, not GPUs; None lets the engine decide, -1 is all (llama.h)."""
    return {"auto": None, "all": -1}[text] if text in ("auto", "all") else int(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
