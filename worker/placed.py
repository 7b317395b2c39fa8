"""Loading what was planned: smaller when memory runs out, and proof of where the model went.

A worker that is started with its own flags is taken at its word and not made smaller; one that was
planned steps down by `detect.placement.retry`, at most three times, and says each step.
"""

import os

import msgspec

from detect import home, loads
from detect.placement import readback, retry
from detect.placement.handed import Placement
from detect.placement.result import PlannedWorker
from worker.engine import Engine
from worker.engines import EngineOptions, LoadError, load


def parse(text: str) -> Placement:
    """A placement from the command line. Raises LoadError."""
    try:
        return msgspec.json.decode(text, type=Placement)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise LoadError(
            "the placement on the command line cannot be read",
            str(error),
            "it comes from `swarmctl up`; use the same version on both sides",
        ) from error


def stay_on(cpus: tuple[int, ...]) -> None:
    """Keep to these processors, where the system can, as far as this process may use them."""
    if cpus and hasattr(os, "sched_setaffinity"):
        near = set(cpus) & os.sched_getaffinity(0)
        if near:
            os.sched_setaffinity(0, near)


def load_placed(placement: Placement) -> tuple[Engine, tuple[str, ...]]:
    """The planned engine, or a smaller one if memory runs out, and what to say of it.

    Raises LoadError when nothing smaller is left, or for any other reason at once.
    """
    stay_on(placement.planned.cpus)
    while True:
        planned = placement.planned
        try:
            engine = load(planned.engine, planned.model, planned.slots, options_of(planned))
        except LoadError as error:
            if not error.no_room:
                raise
            placement = _smaller(placement, error)
        else:
            return engine, (*placement.steps, *_proof(placement, engine))


def options_of(planned: PlannedWorker) -> EngineOptions:
    """What the engine is told. The batch is its own choice: it decides which texts are equal."""
    return EngineOptions(
        context_tokens=planned.context_tokens,
        gpu_layers=planned.gpu_layers,
        split_mode=planned.split_mode,
        main_gpu=planned.main_gpu,
        tensor_split=planned.tensor_split,
        kv_type=planned.kv_type,
        experts_in_main_memory=planned.experts_in_main_memory,
        threads=planned.threads,
        prefix_bytes=planned.prefix_bytes,
        wired_limit_bytes=planned.wired_limit_bytes,
    )


def _smaller(placement: Placement, error: LoadError) -> Placement:
    """The next step down after running out of memory. Raises the error when there is none."""
    step = retry.step_down(placement.planned, len(placement.steps) + 1, placement.offloadable)
    if step is None:
        tried = "; ".join(placement.steps)
        because = f"{error.because}; tried before: {tried}" if tried else error.because
        raise LoadError(error.seen, because, error.hint, no_room=True) from error
    planned, change = step
    said = f"out of memory at load: {change} ({error.seen})"
    return msgspec.structs.replace(placement, planned=planned, steps=(*placement.steps, said))


def _proof(placement: Placement, engine: Engine) -> tuple[str, ...]:
    """Where the model is, by the library's own word, and what should be otherwise."""
    planned, loaded = placement.planned, readback.parse(engine.facts.load_log)
    notes = [
        f"{note.grade.upper()}: {note.seen}; mend it: {note.fix}"
        for note in readback.judge(placement.ready, planned, loaded)
    ]
    speeds = engine.facts.tokens_per_s
    notes += [said for said in (readback.words(planned, loaded), readback.speeds(speeds)) if said]
    try:
        _remember(placement, loaded, readback.gains_of(speeds))
    except OSError as error:
        notes.append(f"what the load took could not be remembered: {error.strerror}")
    return tuple(notes)


def _remember(placement: Placement, loaded: readback.Loaded, gains: dict[int, float]) -> None:
    """Keep what this load taught for the next plan. Raises OSError."""
    planned, here = placement.planned, home.find()
    learned = readback.measured(placement.identity, planned, placement.ready, loaded)
    if learned is not None:
        loads.keep_size(here, *learned)
    if gains and planned.sums:
        loads.keep_gains(here, placement.identity, planned.sums[0].place, gains)
