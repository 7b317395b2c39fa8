"""The end of a run: faults stop, every job ends, each is asked for again, and the node serves."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol import messages as m
from protocol.ids import JobId
from tests.simulation.client_process import ClientProcess
from tests.simulation.virtual_node import Node

if TYPE_CHECKING:
    from tests.simulation.world import World

QUIET_S = 120.0
"""Longest time from the end of all faults to the end of all jobs: their timeouts, and restarts."""

AUDIT_S = 15.0
"""For a client to ask again for every job, and to be answered."""

PROBE_S = 60.0
"""For one more job: the longest rest of a worker before it is started again, and its load."""

REFUSED_S = 10.0
"""A node that ends, or has not seen yet that its disk is well, refuses for so long at most."""


def calm(world: "World") -> None:
    """Let all end. Asserts that nothing was lost, and that a new job is answered."""
    for node in world.nodes:
        _heal(node)
    _wait(world, QUIET_S, lambda: any(map(_unfinished, world.nodes)))
    auditors = [_audit(node) for node in world.nodes]
    _wait(world, AUDIT_S, lambda: any(auditor.awaited for auditor in auditors))
    _probe(world, auditors)
    for node, auditor in zip(world.nodes, auditors, strict=True):
        node.oracle.final(auditor.jobs, auditor.ended)
        for client in node.clients:
            assert not client.awaited, f"{client.label} waits for {client.awaited} in vain"


def _wait(world: "World", most_s: float, until_not: Callable[[], bool]) -> None:
    clock = world.clock
    end_at = clock.now + most_s
    while until_not() and clock.now < end_at:
        clock.run_until(clock.now + 0.5)


def _unfinished(node: Node) -> bool:
    core = node.broker.core
    return core is None or bool(core.state.jobs.open) or any(c.awaited for c in node.clients)


def _heal(node: Node) -> None:
    node.disk.well()
    node.fates.clear()
    node.broker.seam = ""
    if node.broker.core is None:
        node.broker.start()
    for worker in node.all_workers():
        worker.link.repeats = 0
        worker.link.lighten(lose=False)
    for client in node.clients:
        client.link.repeats = 0
        client.link.lighten(lose=False)


def _audit(node: Node) -> ClientProcess:
    auditor = ClientProcess(node, "auditor")
    for job in sorted(set(node.oracle.acknowledged) - set(node.oracle.forgotten)):
        auditor.ask(m.Wait(job))
    return auditor


# ---------------------------------------------------------------- a node that serves


def _probe(world: "World", clients: list[ClientProcess]) -> None:
    """Put one job more to each node: it is answered where a worker is, or refused."""
    end_at = world.clock.now + REFUSED_S
    while (left := [c for c in clients if _is_refused(c)]) and world.clock.now < end_at:
        for client in left:
            client.ask(
                m.Submit(_name(client), "How many? 5", votes=2, stop="all", timeout_s=PROBE_S)
            )
        world.clock.run_until(world.clock.now + 1.0)
    _wait(world, PROBE_S + AUDIT_S, lambda: any(client.awaited for client in clients))
    for client in clients:
        _served(client)


def _name(client: ClientProcess) -> JobId:
    return JobId(f"probe{client.node.index}")


def _is_refused(client: ClientProcess) -> bool:
    """Was it not taken so far?"""
    name = _name(client)
    return name not in client.awaited and name not in client.ended


def _served(client: ClientProcess) -> None:
    node, name = client.node, _name(client)
    verdict = client.ended.get(name)
    if verdict is not None:
        answered = verdict.cast + verdict.abstained
        assert answered == verdict.asked, f"{name} {verdict.outcome}: {answered} votes"
        return
    here = [worker.label for worker in node.all_workers() if worker.core is not None]
    assert not here, f"{name}: {client.refused.get(name)}, and {here} are here"
