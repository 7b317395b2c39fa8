"""What users do: each function takes the node and the entry of the script."""

from broker import events as ev
from protocol import messages as m
from tests.simulation.client_process import ClientProcess
from tests.simulation.script import Entry
from tests.simulation.virtual_node import Node


def submit(node: Node, entry: Entry) -> None:
    """Put a job."""
    assert entry.submit is not None
    node.client(entry.who).ask(entry.submit)


def submit_again(node: Node, entry: Entry) -> None:
    """The same job a second time, without need, from any client."""
    if jobs := list(node.oracle.attempted.values())[-8:]:
        node.client(entry.who).say(jobs[entry.n % len(jobs)])


def wait(node: Node, entry: Entry) -> None:
    """Ask for the verdict of a job from another terminal."""
    if jobs := list(node.oracle.acknowledged)[-8:]:
        node.client(entry.who).ask(m.Wait(jobs[entry.n % len(jobs)], watch=entry.n % 2 == 0))


def cancel(node: Node, entry: Entry) -> None:
    """End a job."""
    if jobs := list(node.oracle.attempted)[-8:]:
        node.client(entry.who).say(m.Cancel(jobs[entry.n % len(jobs)]))


def look(node: Node, entry: Entry) -> None:
    """Ask how things are."""
    jobs = list(node.oracle.attempted)[-1:]
    show = [m.Show(job) for job in jobs]
    node.client(entry.who).say(m.Status(), m.Jobs(5), *show)


def scale(node: Node, entry: Entry) -> None:
    """Let there be more or fewer workers."""
    node.client(entry.who).say(m.Scale(entry.n))


def down(node: Node, entry: Entry) -> None:
    """End the node, after its jobs or at once; somebody starts it again."""
    node.client(entry.who).say(m.Down(now=entry.n == 0))


def stop(node: Node, entry: Entry) -> None:
    """SIGTERM."""
    node.broker.tell(ev.StopAsked())


def client_dies(node: Node, entry: Entry) -> None:
    """A client ends; another one comes, and waits for some of its jobs by their ids."""
    number = entry.who % len(node.clients)
    old = node.clients[number]
    old.die()
    new = node.clients[number] = ClientProcess(node, f"c{number}")
    for job in old.jobs[-3:]:
        if job in node.oracle.acknowledged:
            new.ask(m.Wait(job))
