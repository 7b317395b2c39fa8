"""What a waiting client says again after silence."""

import pytest

from protocol import messages as m
from protocol.errors import Code, Problem
from protocol.ids import JobId
from swarmctl.follow import GIVE_UP_S, PROBE_S, Follow

A, B = JobId("a"), JobId("b")
SUBMIT_A = m.Submit(job=A, prompt="?", watch=True)
WAIT_B = m.Wait(job=B)


def rejected(code, job=A):
    return m.Rejected(Problem(code, "no"), job)


def verdict(job):
    return m.Verdict(job=job, outcome="decided", stopped="all in", asked=1)


@pytest.fixture
def follow():
    follow = Follow(0.0)
    assert follow.add(SUBMIT_A, 0.0) == [SUBMIT_A]
    return follow


def test_nothing_is_repeated_before_the_silence_is_long(follow):
    assert follow.repeat(PROBE_S - 0.01) == []
    assert follow.due_s(0.5) == pytest.approx(PROBE_S - 0.5)


def test_a_job_that_was_not_accepted_yet_is_submitted_again(follow):
    assert follow.repeat(PROBE_S) == [m.Status(), SUBMIT_A]
    assert follow.repeat(PROBE_S + 0.1) == []


def test_a_job_that_was_accepted_is_only_waited_for_again(follow):
    assert follow.heard(m.Accepted(A, 8, 1), 0.1) == ([], [m.Accepted(A, 8, 1)])
    assert follow.repeat(0.1 + PROBE_S) == [m.Status(), m.Wait(job=A, watch=True)]


def test_a_second_acceptance_is_no_news(follow):
    follow.heard(m.Accepted(A, 8, 1), 0.1)
    assert follow.heard(m.Accepted(A, 8, 1), 0.2) == ([], [])


def test_a_broker_that_was_restarted_and_forgot_the_job_is_given_it_again(follow):
    follow.heard(m.Accepted(A, 8, 1), 0.1)
    assert follow.heard(rejected(Code.NOT_FOUND), 3.0) == ([SUBMIT_A], [])
    assert follow.jobs == [A]


def test_a_job_of_somebody_else_that_is_not_found_ends():
    follow = Follow(0.0)
    follow.add(WAIT_B, 0.0)
    said = rejected(Code.NOT_FOUND, B)
    assert follow.heard(said, 0.1) == ([], [said])
    assert follow.jobs == []


def test_a_refusal_without_a_job_id_is_of_the_only_job(follow):
    _, news = follow.heard(rejected(Code.BUSY, JobId("")), 0.1)
    assert news == [rejected(Code.BUSY, A)]


def test_a_verdict_is_told_once(follow):
    assert follow.heard(verdict(A), 1.0) == ([], [verdict(A)])
    assert follow.heard(verdict(A), 1.1) == ([], [])
    assert follow.jobs == []


def test_what_is_said_of_other_jobs_is_not_passed_on(follow):
    assert follow.heard(verdict(B), 1.0) == ([], [])
    assert follow.heard(rejected(Code.BUSY, B), 1.0) == ([], [])
    assert follow.jobs == [A]


def test_anything_heard_ends_the_silence(follow):
    assert follow.is_silent(GIVE_UP_S)
    follow.heard(verdict(B), GIVE_UP_S - 1)
    assert not follow.is_silent(GIVE_UP_S)


def test_the_time_before_the_first_job_is_no_silence():
    follow = Follow(0.0)
    follow.add(WAIT_B, 100.0)
    assert not follow.is_silent(100.0 + PROBE_S)
