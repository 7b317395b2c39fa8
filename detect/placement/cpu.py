"""Running on the processors: threads, NUMA nodes, and main memory's sum."""

import msgspec

from detect.facts import NumaNode
from detect.placement import attempts
from detect.placement.budget import Room
from detect.placement.case import Case, Found, refusal
from detect.placement.memory import Load
from detect.placement.result import PlannedWorker, Refused
from detect.placement.slots import shrunk
from detect.placement.words import total


def whole(case: Case) -> Found | list[Refused]:
    """All layers in main memory: one worker, or one for each NUMA node, or as many as asked."""
    nodes = _nodes(case)
    count = case.limits.workers or max(len(nodes), 1)
    while count >= 1:
        room = msgspec.structs.replace(case.main, budget_bytes=case.main.budget_bytes // count)
        load = _fitting(case, room)
        if load is not None:
            return _found(case, load, room, count, nodes)
        if case.limits.workers is None and count > 1:
            count, nodes = 1, ()  # one worker over all nodes is slower and needs the weights once
            continue
        break
    return [refusal("the CPU", [attempts.on_cpu(case.model, case.wish, case.main)])]


def _fitting(case: Case, room: Room) -> Load | None:
    def fits(load: Load) -> bool:
        return attempts.on_cpu(case.model, load, room).fits

    if fits(case.wish):
        return case.wish
    smaller = shrunk(case.model, case.limits, case.slots, fits)
    return smaller[0] if smaller else None


def _nodes(case: Case) -> tuple[NumaNode, ...]:
    """NUMA nodes when there are several and this process may use all their processors."""
    cpu = case.machine.cpu
    together = sum(len(node.cpus) for node in cpu.numa)
    return cpu.numa if len(cpu.numa) > 1 and cpu.allowed in {None, together} else ()


def _found(case: Case, load: Load, room: Room, count: int, nodes: tuple[NumaNode, ...]) -> Found:
    threads = max(case.machine.cpu.threads // count, 1)
    row = attempts.on_cpu(case.model, load, room)
    workers = tuple(
        PlannedWorker(
            engine="llamacpp",
            model=case.model.path,
            slots=load.slots,
            context_tokens=load.context_tokens,
            cells=load.cells,
            threads=threads,
            cpus=nodes[at % len(nodes)].cpus if nodes else (),
            kv_type=load.kv_type,
            ubatch=load.ubatch,
            sums=(row,),
        )
        for at in range(count)
    )
    reasons = [f"on the CPU: {total(row)} ({case.main.said})"]
    reasons.append(f"{threads} threads a worker: {_why_threads(case)}")
    if nodes:
        reasons.append(f"one worker for each of {len(nodes)} NUMA nodes: memory stays near")
    elif count > 1:
        reasons.append(f"{count} workers, as asked: the weights are held {count} times")
    if load != case.wish:
        reasons.append(f"made smaller to fit: {_smaller(case, load)}")
    return Found(workers, tuple(reasons))


def _why_threads(case: Case) -> str:
    cpu = case.machine.cpu
    parts = []
    if cpu.performance:
        parts.append(f"{cpu.performance} fast cores")
    elif cpu.physical:
        parts.append(f"{cpu.physical} cores")
    if cpu.allowed is not None and cpu.logical is not None and cpu.allowed < cpu.logical:
        parts.append(f"{cpu.allowed} of {cpu.logical} processors allowed")
    if cpu.quota_cpus is not None:
        parts.append(f"a quota of {cpu.quota_cpus:g} processors")
    return ", ".join(parts) or "the processors that are there"


def _smaller(case: Case, load: Load) -> str:
    wish = case.wish
    parts = []
    if load.context_tokens != wish.context_tokens:
        parts.append(f"context {load.context_tokens} instead of {wish.context_tokens} tokens")
    if load.kv_type != wish.kv_type:
        parts.append(f"keys and values in {load.kv_type}")
    if load.slots != wish.slots:
        parts.append(f"{load.slots} slots instead of {wish.slots}")
    return ", ".join(parts)
