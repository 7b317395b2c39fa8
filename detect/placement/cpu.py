"""Running on the processors: threads, NUMA nodes, and main memory's sum."""

import msgspec

from detect.facts import NumaNode
from detect.placement import attempts, engines, pin
from detect.placement.budget import Room
from detect.placement.case import Case, Found, refusal
from detect.placement.memory import Load
from detect.placement.readback import key
from detect.placement.result import PlannedWorker, Refused, Sum
from detect.placement.slots import Wish, changes, least_wish, shrunk
from detect.placement.words import plural, total


def whole(case: Case) -> Found | list[Refused]:
    """All layers in main memory: one worker, or one for each NUMA node, or as many as asked."""
    nodes = _nodes(case)
    count = case.limits.workers or max(len(nodes), 1)
    while count >= 1:
        room = msgspec.structs.replace(case.main, budget_bytes=case.main.budget_bytes // count)
        wish = _fitting(case, room)
        if wish is not None:
            return _found(case, wish, room, count, nodes)
        if case.limits.workers is None and count > 1:
            count, nodes = 1, ()  # one worker over all nodes is slower and needs the weights once
            continue
        break
    least = least_wish(case.model, case.limits, case.slots)
    asked = case.limits.workers or 1
    share = msgspec.structs.replace(case.main, budget_bytes=case.main.budget_bytes // asked)
    what = f"the CPU with {plural(least.slots, 'slot')}"
    if asked > 1:
        what = f"each of {asked} workers on {what}"
    return [refusal(what, [_sum(case, least, share)])]


def _sum(case: Case, wish: Wish, room: Room) -> Sum:
    load = _load(case, wish)
    known = case.limits.measured.get(key(case.model, load, case.main.place))
    row = attempts.on_cpu(case.model, load, room)
    return msgspec.structs.replace(row, measured_bytes=known)


def _load(case: Case, wish: Wish) -> Load:
    return engines.llamacpp(
        case.model,
        wish.slots,
        wish.context_tokens,
        gpu=False,
        prefix_bytes_max=case.prefix_bytes_max,
    )


def _fitting(case: Case, room: Room) -> Wish | None:
    def fits(wish: Wish) -> bool:
        return _sum(case, wish, room).fits

    plain = msgspec.structs.replace(case.limits, kv_type="f16")  # q8_0 needs flash attention
    if fits(case.wish):
        return case.wish
    return shrunk(case.model, plain, case.slots, fits, case.limits.gains.get(room.place, {}))


def _nodes(case: Case) -> tuple[NumaNode, ...]:
    """NUMA nodes when there are several and this process may use all their processors."""
    cpu = case.machine.cpu
    together = sum(len(node.cpus) for node in cpu.numa)
    return cpu.numa if len(cpu.numa) > 1 and cpu.allowed in {None, together} else ()


def _found(case: Case, wish: Wish, room: Room, count: int, nodes: tuple[NumaNode, ...]) -> Found:
    cores = engines.threads(case.model.parameters, case.machine.cpu.threads)
    threads = max(cores // count, 1)
    load = _load(case, wish)
    row = _sum(case, wish, room)
    workers = tuple(
        PlannedWorker(
            engine="llamacpp",
            model=case.model.path,
            slots=load.slots,
            context_tokens=load.context_tokens,
            cells=load.cells,
            streams=load.streams,
            threads=threads,
            env=pin.hidden(case.machine.devices),
            cpus=nodes[at % len(nodes)].cpus if nodes else (),
            batch_tokens=load.batch_tokens,
            prefix_bytes=engines.prefix_bytes(case.model, load),
            sums=(row,),
        )
        for at in range(count)
    )
    shared = f", shared by {count} workers" if count > 1 else ""
    reasons = [f"on the CPU: {total(row)} ({case.main.said}{shared})"]
    reasons.append(f"{plural(threads, 'thread')} a worker: {_why_threads(case, cores)}")
    if nodes:
        reasons.append(f"one worker for each of {len(nodes)} NUMA nodes: memory stays near")
    elif count > 1:
        reasons.append(f"{count} workers, as asked: the weights are held {count} times")
    if made := changes(case.wish, wish):
        reasons.append(f"made smaller to fit: {made}")
    return Found(workers, tuple(reasons))


def _why_threads(case: Case, cores: int) -> str:
    cpu = case.machine.cpu
    if cores < cpu.threads:
        return "the model is tiny, and more would wait for each other"
    parts = []
    if cpu.performance:
        parts.append(plural(cpu.performance, "fast core"))
    elif cpu.physical:
        parts.append(plural(cpu.physical, "core"))
    if cpu.allowed is not None and cpu.logical is not None and cpu.allowed < cpu.logical:
        parts.append(f"{cpu.allowed} of {cpu.logical} processors allowed")
    if cpu.quota_cpus is not None:
        parts.append(f"a quota of {cpu.quota_cpus:g} processors")
    return ", ".join(parts) or "the processors that are there"
