"""What goes wrong: each function takes the node and the entry of the script."""

from collections.abc import Callable

from tests.simulation.broker_process import Seam
from tests.simulation.network import Link
from tests.simulation.script import Entry
from tests.simulation.virtual_node import Node

# ---------------------------------------------------------------- workers


def worker_killed(node: Node, entry: Entry) -> None:
    """kill -9, or out of memory."""
    if worker := node.worker(entry.who):
        worker.end("killed by signal 9 (SIGKILL)")


def worker_stopped(node: Node, entry: Entry) -> None:
    """SIGSTOP for a while."""
    if worker := node.worker(entry.who):
        worker.pause(entry.s)


def worker_stuck(node: Node, entry: Entry) -> None:
    """One step that takes very long, in a call that lets nothing else run."""
    if worker := node.worker(entry.who):
        worker.stuck_s = entry.s


def engine_fails(node: Node, entry: Entry) -> None:
    """The engine ends the next requests in an error."""
    if worker := node.worker(entry.who):
        worker.errors = entry.n


def crash_loop(node: Node, entry: Entry) -> None:
    """The next workers that are started die while they load."""
    node.fates.extend(["crash"] * entry.n)


def bad_model(node: Node, entry: Entry) -> None:
    """The next worker that is started cannot load its model, and says so."""
    node.fates.append("config")


# ---------------------------------------------------------------- links


def link_breaks(node: Node, entry: Entry) -> None:
    """A connection breaks with all that was on it; the broker may learn it later."""
    if link := _link(node, entry):
        link.cut(ghost_s=entry.s)


def link_dark(node: Node, entry: Entry) -> None:
    """One or both directions carry nothing for a while: half-open."""
    if link := _link(node, entry):
        link.go_dark(up=entry.n != 1, down=entry.n != 0)
        node.clock.after(entry.s, link.lighten, entry.what == "lose")


def link_slow(node: Node, entry: Entry) -> None:
    """Frames take long, so that those of other connections overtake them."""
    if link := _link(node, entry):
        _for_a_while(node, entry.s, _slow, link)


def link_repeats(node: Node, entry: Entry) -> None:
    """The next frames arrive twice."""
    if link := _link(node, entry):
        link.repeats = entry.n


def _slow(node: Node, link: Link, on: bool) -> None:
    link.latency_s = 0.5 if on else node.latency_s


def _link(node: Node, entry: Entry) -> Link | None:
    links = [worker.link for worker in node.all_workers()]
    links += [client.link for client in node.clients]
    return links[entry.who % len(links)]


def address_changes(node: Node, entry: Entry) -> None:
    """This machine's workers leave and are back from another address; the old one seems alive."""
    before = node.world.nodes[node.index - 1]
    for worker in before.outsiders.values():
        worker.link.cut(ghost_s=entry.s)


def partition(node: Node, entry: Entry) -> None:
    """This machine is cut off from all others for a while."""
    before = node.world.nodes[node.index - 1]
    for worker in [*node.outsiders.values(), *before.outsiders.values()]:
        worker.link.go_dark(up=True, down=True)
        node.clock.after(entry.s, worker.link.lighten, entry.what == "lose")


# ---------------------------------------------------------------- the broker and its disk


def broker_killed(node: Node, entry: Entry) -> None:
    """kill -9 at this moment; started again after a while."""
    node.broker.kill()
    node.clock.after(entry.s, node.broker.start)


def broker_killed_at(node: Node, entry: Entry) -> None:
    """kill -9 at the next such seam of a turn."""
    seams: list[Seam] = ["before the commit", "after the commit", "between two sends"]
    node.broker.seam = seams[entry.n % len(seams)]


def broker_stopped(node: Node, entry: Entry) -> None:
    """SIGSTOP for a while."""
    node.broker.pause(entry.s)


def disk_slow(node: Node, entry: Entry) -> None:
    """Each commit takes long for a while."""
    _for_a_while(node, entry.s, _slow_disk, node.disk)


def _slow_disk(node: Node, disk: object, on: bool) -> None:
    node.disk.slow = 500.0 if on else 1.0


def disk_full(node: Node, entry: Entry) -> None:
    """Somebody else fills the disk, and later makes room."""
    _for_a_while(node, entry.s, _full_disk, node.disk)


def _full_disk(node: Node, disk: object, on: bool) -> None:
    node.disk.full, node.disk.room = on, 0


def disk_flickers(node: Node, entry: Entry) -> None:
    """Somebody takes the last room and lets it go, again and again."""
    _for_a_while(node, entry.s, _flickering_disk, node.disk)


def _flickering_disk(node: Node, disk: object, on: bool) -> None:
    node.disk.flickers = on


def wall_jumps(node: Node, entry: Entry) -> None:
    """Somebody sets the clock, by an hour."""
    node.disk.wall_jump_s += 3600.0 if entry.n % 2 else -3600.0


def machine_sleeps(node: Node, entry: Entry) -> None:
    """A laptop's lid is closed: every process on it stops."""
    node.broker.pause(entry.s)
    here = list(node.broker.children.values())
    for worker in [*here, *node.world.nodes[node.index - 1].outsiders.values()]:
        worker.pause(entry.s)


def _for_a_while(
    node: Node, duration_s: float, do: Callable[[Node, Link, bool], None], what: object
) -> None:
    do(node, what, True)
    node.clock.after(duration_s, do, node, what, False)
