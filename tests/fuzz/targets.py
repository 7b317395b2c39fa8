"""What a stranger's bytes reach: each target takes any bytes, and an exception from it is a bug.

answers   a voter's text, through every extractor and the count
schema    a client's schema, and texts that are to fit it
frames    what a socket brings, through the three decoders
broker    frames one after the other from two senders, through the broker's core
worker    frames from a broker, through the worker's core
client    frames from a broker, through what `swarmctl` shows of them
journal   bodies of a journal whose checks are right, and a broker that takes them up
past      the file of past votes
gguf      a model file's header, and what is made of it
mlx       a model's configuration
"""

import contextlib
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from broker import events as ev
from broker.core import Broker
from broker.kept import Retention
from broker.learner import sound
from broker.reliability import Past, Reliability
from broker.restore import Uncountable
from broker.state import NodeIdentity
from broker.voting import ANSWER_TYPES, Cast, Rules, Tally, extract
from broker.voting.answers.auto import of_prompt, of_vote
from broker.voting.answers.schema import Schema, SchemaError
from broker.voting.behaviour import calls, examples
from broker.voting.fields import merge
from broker.voting.medoid import ranked
from detect import gguf, mlx_model, model
from protocol import frames, journal
from protocol import messages as m
from protocol.errors import FrameError
from protocol.ids import NodeId, WorkerId
from swarmctl import asjson, render
from worker import core as worker_core

KINDS = [kind for kind in ANSWER_TYPES if kind != "auto"]

NEXT = b"\n----\n"
"""Between two parts of one input: votes of a job, frames of a conversation."""

PARTS_MAX = 12

Target = Callable[[bytes], object]


def parts_of(data: bytes) -> list[bytes]:
    """The parts of an input, a few at most."""
    return data.split(NEXT)[:PARTS_MAX]


# ---------------------------------------------------------------- texts


def answers(data: bytes) -> None:
    """Each part is a vote's text; together they are a job's votes."""
    texts = [part.decode("utf-8", "surrogateescape") for part in parts_of(data)]
    for text in texts:
        for kind in KINDS:
            _is_answer(extract(text, kind))
        for choices in (("A", "B"), ("yes", "no", "yes and no"), (text[:9] or "x", "b")):
            assert extract(text, "choice", choices) in (None, *choices)
        assert of_vote(text) in KINDS
        assert of_prompt(text) in (None, *KINDS)
        calls([text], "f")
        examples(text, "f")
    assert sorted(i for i, _ in ranked(texts)) == list(range(len(texts)))
    for kind in ("auto", *KINDS):
        _counted(texts, kind)


def _is_answer(answer: str | None) -> None:
    """An answer has bytes, and can be told in JSON and MessagePack."""
    if answer is not None:
        assert answer, "an empty answer"
        msgspec.msgpack.encode(answer)


def _counted(texts: list[str], kind: str) -> None:
    tally = Tally(Rules(seats=len(texts), answer=kind, prompt=texts[0], tie_seats=0))
    for seat, text in enumerate(texts):
        tally.cast(Cast(seat, text, "stop", f"m{seat % 2}"))
        tally.judge()
    judged = tally.judge()
    held = [tally.answer_of(seat) for seat in range(len(texts))]
    assert sum(judged.votes.values()) == sum(answer is not None for answer in held)
    assert 0.0 <= judged.agreement <= 1.0 + 1e-9
    if kind == "json":
        told = [answer for answer in held if answer is not None]
        found = merge(told)
        assert found is None or json.loads(found.answer) is not None


def schema(data: bytes) -> None:
    """A schema, then votes: it is refused, or holds for all that is counted."""
    asked, *texts = [part.decode("utf-8", "replace") for part in parts_of(data)]
    try:
        wanted = Schema(asked)
    except SchemaError:
        return
    assert wanted.answer_type in KINDS
    tally = Tally(Rules(seats=len(texts) + 1, schema=asked))
    for seat, text in enumerate(texts):
        answer = tally.cast(Cast(seat, text, "stop"))
        _is_answer(answer)
        assert answer is None or wanted.allows(answer, wanted.answer_type)
        tally.judge()


# ---------------------------------------------------------------- frames


def frames_(data: bytes) -> None:
    """Every decoder gives messages, which say the same when they are said again, or FrameError."""
    for decode in (frames.to_broker, frames.to_client, frames.to_worker):
        with contextlib.suppress(FrameError):
            said = decode(data)
            again = [
                one for frame in frames.pack([*map(frames.encode, said)]) for one in decode(frame)
            ]
            assert repr(again) == repr(said)  # NaN is not equal to itself


def _said(decode: Callable[[bytes], list[Any]], data: bytes) -> list[Any]:
    try:
        return decode(data)
    except FrameError:
        return []


def broker(data: bytes) -> None:
    """The core's invariants hold after each message of two strangers; nothing is ever raised."""
    core = _core()
    now = 100.0
    routes = (b"a", b"b")
    for number, part in enumerate(parts_of(data)):
        now += 0.5
        for message in _said(frames.to_broker, part):
            _told(core.handle(ev.Received(routes[number % 2], message), now))
            core.check()
    for after_s in (1.0, 5.0, 10.0, 90_000.0):
        _told(core.handle(ev.Tick(), now + after_s))
        core.check()
    assert not core.state.jobs.open, "a job without an end"


def _core() -> Broker:
    node = NodeIdentity(NodeId("n" * 40), "here", "0", 1, "ipc://fuzz", "home")
    return Broker(node, random.Random(7), 100.0, Retention(10))


def _told(actions: list[ev.Action]) -> None:
    """What the core wants said and written can be."""
    for action in actions:
        if isinstance(action, ev.Send):
            frames.encode(action.message)
        elif isinstance(action, ev.Write):
            journal.encode(action.record)


def worker(data: bytes) -> None:
    """The worker's core bears whatever its broker says; requests that it admits are dropped."""
    ready = m.Ready(WorkerId("w1"), 1, "toy", "1", "toy", "sha256:0", 2, 512)
    core = worker_core.Worker(ready, 100.0)
    free = [1, 0]
    for number, part in enumerate(parts_of(data)):
        for message in _said(frames.to_worker, part):
            todo: list[Any] = list(core.handle(worker_core.Told(message), 100.0 + number))
            while todo:
                action = todo.pop(0)
                if isinstance(action, worker_core.Admit):
                    slot = free.pop()
                    todo += core.handle(worker_core.Admitted(action.key, slot), 100.0 + number)
                elif isinstance(action, worker_core.CancelSlot):
                    free.append(action.slot)
            core.check()


def client(data: bytes) -> None:
    """What a broker says can be shown, to people and to scripts."""
    for said in _said(frames.to_client, data):
        for show in SHOWN.get(type(said), ()):
            show(said)


SHOWN: dict[type, tuple[Callable[[Any], object], ...]] = {
    m.Accepted: (lambda s: asjson.line(asjson.accepted(s)),),
    m.Progress: (render.progress,),
    m.Verdict: (render.verdict, render.answer, lambda s: asjson.line(asjson.verdict(s))),
    m.NodeReport: (lambda s: render.status(s, 80), lambda s: asjson.line(asjson.status(s))),
    m.JobList: (lambda s: render.jobs(s, 80), lambda s: asjson.line(asjson.jobs(s))),
    m.JobReport: (render.job, lambda s: asjson.line(asjson.job(s))),
    m.ModelList: (lambda s: asjson.line(asjson.models(s.models, s.confidence)),),
}


# ---------------------------------------------------------------- files


def journal_(data: bytes) -> None:
    """Bodies with a right check: records, or Damaged; and a broker takes up what is whole."""
    first, *rest = parts_of(data)
    rows = [(body, journal.crc_of(body, 1)) for body in rest]
    verdict = (0, *rows[-1]) if rows and len(rows) % 2 else None
    votes = rows[:-1] if verdict else rows
    ballots = [(0, 5, 1, "w1"), (70, 6, 2, "w2")]
    try:
        records = journal.life(1, (first, journal.crc_of(first, 1)), ballots, votes, verdict)
    except journal.Damaged:
        return
    core = _core()
    try:
        _told(core.restore(records, 100.0))
    except Uncountable:
        return
    core.check()


def past(data: bytes) -> None:
    """A file of past votes is used when it fits together, and anything else is as good as none."""
    try:
        found = msgspec.msgpack.decode(data, type=Past)
    except (ValueError, RecursionError):
        return
    if sound(found):
        Reliability(found).past()


def gguf_(data: bytes) -> None:
    """A header is read, or refused in words; so is what is made of it."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(gguf.Malformed, ValueError):
            model.from_header(gguf.read_one(Path(file.name)))


def mlx(data: bytes) -> None:
    """A configuration gives a model's facts, or ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_bytes(data)
        Path(folder, "a.safetensors").write_bytes(b"weights")
        with contextlib.suppress(ValueError):
            mlx_model.read(Path(folder))


TARGETS: dict[str, Target] = {
    "answers": answers,
    "schema": schema,
    "frames": frames_,
    "broker": broker,
    "worker": worker,
    "client": client,
    "journal": journal_,
    "past": past,
    "gguf": gguf_,
    "mlx": mlx,
}
