"""Clients take turns for seats, and none may take all the room there is for jobs."""

import random
from itertools import pairwise

import pytest

from broker import events as ev
from broker.clients import LISTENERS_MAX
from broker.job import Job
from broker.jobs import JOBS_BYTES_MAX, JOBS_MAX, LOOKAHEAD, SHARE, Jobs
from protocol import messages as m
from protocol.ids import JobId
from tests.broker.test_hear import broker


def job_of(client: bytes, number: int, prompt: str = "?", model: str = "") -> Job:
    name = JobId(f"{client.decode()}{number}")
    job = Job(m.Submit(name, prompt, votes=1, model=model), 1, 1, float(number))
    job.client = client
    return job


def put(jobs: Jobs, client: bytes, number: int, prompt: str = "?", model: str = "") -> None:
    job = job_of(client, number, prompt, model)
    job.open_seats()
    jobs.add(job)


def serve(jobs: Jobs) -> Job:
    """Give the seats of the job that is next."""
    job = jobs.next_up()[0]
    job.pending.clear()
    jobs.unwait(job, served=True)
    return job


@pytest.mark.parametrize("seed", range(20))
def test_who_waits_is_served_once_before_anybody_is_served_twice_more(seed: int) -> None:
    """The oracle counts by hand who was overtaken, and how often."""
    rng = random.Random(seed)
    jobs, numbers = Jobs(), 0
    waiting: dict[bytes, list[JobId]] = {}
    overtaken: dict[bytes, dict[bytes, int]] = {}
    for _ in range(400):
        if rng.random() < 0.55 or not waiting:
            client = rng.choices([b"a", b"b", b"c", b"d", b"e", b"f"], [20, 1, 1, 1, 1, 1])[0]
            numbers += 1
            put(jobs, client, numbers, model=rng.choice(["", "", "x"]) if seed % 2 else "")
            waiting.setdefault(client, []).append(JobId(f"{client.decode()}{numbers}"))
        else:
            served = serve(jobs)
            waiting[served.client].remove(served.id)
            if not waiting[served.client]:
                del waiting[served.client]
            overtaken.pop(served.client, None)
            for other in waiting:
                if other != served.client:
                    by = overtaken.setdefault(other, {})
                    by[served.client] = by.get(served.client, 0) + 1
                    # With two lines, a client may have its turn in each before it counts.
                    assert by[served.client] <= 1 + seed % 2, (other, by)
        jobs_waiting = {job for jobs_of in waiting.values() for job in jobs_of}
        assert {job.id for job in jobs.next_up()} <= jobs_waiting


def test_each_client_is_served_in_the_order_it_came() -> None:
    jobs = Jobs()
    for number in range(30):
        put(jobs, b"abc"[number % 3 : number % 3 + 1], number)
    served = [serve(jobs) for _ in range(30)]
    for client in (b"a", b"b", b"c"):
        its = [job.accepted_at for job in served if job.client == client]
        assert its == sorted(its)
    assert all(one.client != next_one.client for one, next_one in pairwise(served))


def test_a_job_that_lost_its_voter_is_before_all_others() -> None:
    jobs = Jobs()
    for number in range(3):
        put(jobs, b"a", number)
        put(jobs, b"b", number)
    first = jobs.next_up()[0]
    seat = first.pending[0]
    serve(jobs)
    first.pending.append(seat)
    jobs.wait(first, first=True)
    assert jobs.next_up()[0] is first
    jobs.check()


def test_the_jobs_that_are_considered_come_from_different_clients() -> None:
    jobs = Jobs()
    for number in range(10):
        put(jobs, b"a", number)
    for client in (b"b", b"c", b"d"):
        put(jobs, client, 0)
    assert [job.client for job in jobs.next_up()] == [b"a", b"b", b"c", b"d"]
    assert len(jobs.next_up()) == LOOKAHEAD


def test_one_client_leaves_room_for_others_and_they_for_more() -> None:
    jobs = Jobs()
    held = []
    for client in (b"a", b"b", b"c"):
        number = 0
        while not jobs.full(1, client):
            put(jobs, client, number)
            number += 1
        assert "places are for others" in jobs.full(1, client)
        held.append(number)
    assert held[0] == 10_000
    assert sum(held) < JOBS_MAX
    assert all(0 < after <= before / (SHARE - 1) for before, after in pairwise(held)), held


def test_when_every_place_is_taken_the_reason_says_so() -> None:
    jobs = Jobs()
    for number in range(JOBS_MAX):
        put(jobs, b"%d" % number, number)
    assert jobs.full(1, b"new") == f"{JOBS_MAX} jobs are waiting or running, as many as fit"
    jobs.finish(_ended(jobs))
    assert jobs.full(1, b"new") == ""


def _ended(jobs: Jobs) -> Job:
    job = jobs.next_up()[0]
    jobs.unwait(job)
    job.end("cancelled", "", job.judge(), 1.0)
    return job


def test_the_room_for_texts_is_shared_too() -> None:
    jobs, size = Jobs(), 1 << 20
    number = 0
    while not jobs.full(size, b"a"):
        put(jobs, b"a", number, "x" * size)
        number += 1
    assert number << 20 >= JOBS_BYTES_MAX * 8 // 10
    assert "MiB" in jobs.full(size, b"a")
    assert jobs.full(size, b"b") == ""
    assert jobs.full(10 << 20, b"b") != ""


def test_jobs_of_nobody_belong_to_who_asks_for_them() -> None:
    jobs = Jobs()
    for number in range(4):
        put(jobs, b"", number)
    last = jobs.get(JobId("3"))
    assert last is not None
    jobs.hand_over(last, b"a")
    jobs.check()
    assert [job.id for job in jobs.next_up()] == ["0", "3", "1", "2"]


def test_clients_that_left_do_not_keep_others_from_waiting_for_a_job() -> None:
    """`jobs wait --timeout 1s`, again and again: that they are gone is only seen at a send."""
    core = broker(slots=1)
    core.handle(ev.Received(b"owner", m.Submit(JobId("j"), "How many?", votes=1)), 2.0)
    for number in range(3 * LISTENERS_MAX):
        assert core.handle(ev.Received(b"%d" % number, m.Wait(JobId("j"))), 3.0) == []
    assert core.handle(ev.Received(b"150", m.Wait(JobId("j"))), 4.0) == []  # it is still there
    told = core.handle(ev.Received(b"last", m.Cancel(JobId("j"))), 5.0)
    routes = [a.route for a in told if isinstance(a, ev.Send) and isinstance(a.message, m.Verdict)]
    assert routes[0] == b"owner"
    assert routes[-2:] == [b"150", b"last"]
    assert len(routes) == len(set(routes)) == LISTENERS_MAX + 1


def test_choices_and_stop_strings_take_room_as_prompts_do() -> None:
    core = broker(slots=1)
    words = tuple(f"{number}{'x' * 15_000}" for number in range(8))
    for number in range(JOBS_BYTES_MAX // 120_000):
        said = m.Submit(JobId(f"j{number}"), "?", votes=1, choices=words, stop_strings=words)
        told = core.handle(ev.Received(b"c", said), 2.0)
        if any(isinstance(a, ev.Send) and isinstance(a.message, m.Rejected) for a in told):
            break
    assert 200 < number < 300
    far = m.Submit(JobId("far"), "?", choices=tuple(f"{n}{'x' * 20_000}" for n in range(60)))
    (send,) = core.handle(ev.Received(b"d", far), 2.0)
    assert send.message.problem.code == "too-large"
