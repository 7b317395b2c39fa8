"""Roster, tally and verdict as text."""

import json

import msgspec
import pytest

from protocol import messages as m
from protocol.errors import Code, Problem
from swarmctl import asjson, plan, render
from swarmctl.client import exit_code
from swarmctl.exits import CODES


def record(seat, answer, **changes):
    vote = m.VoteRecord(
        seat=seat,
        seed=seat + 17,
        node="den",
        worker="w1",
        engine="llamacpp",
        model="abacus",
        digest="sha256:00",
        text=f"so\n#### {answer}",
        finish="stop",
        prompt_tokens=31,
        tokens=44,
        time_s=0.12,
        answer=answer,
    )
    return msgspec.structs.replace(vote, **changes)


DECIDED = m.Verdict(
    job="0190",
    outcome="decided",
    stopped="cannot be overtaken",
    asked=8,
    cast=3,
    cancelled=4,
    abstained=1,
    answer="42",
    answer_type="number",
    mode="fast",
    winner=1,
    agreement=2 / 3,
    margin=1,
    tokens=176,
    tokens_cancelled=31,
    time_s=0.41,
    votes=(record(0, "41"), record(1, "42"), record(2, "42"), record(3, None)),
    notes=("one voter is slow",),
)
TIED = msgspec.structs.replace(
    DECIDED,
    outcome="tied",
    stopped="all votes are in",
    answer=None,
    winner=None,
    margin=0,
    asked=2,
    cast=2,
    abstained=0,
    cancelled=0,
    votes=(record(0, "41"), record(1, "42")),
    notes=(),
)


def test_a_verdict_says_how_clear_it_was_why_it_stopped_and_what_was_saved():
    assert render.verdict(DECIDED) == (
        "decided by 2 of 3 votes (67%), 1 ahead\n"
        "  3 of 8 votes cast, 1 abstained, 4 cancelled; cannot be overtaken\n"
        "  number, fast: 176 tokens in 410 ms; 4 seats not needed\n"
        "  seeds for it: 18 19\n"
        "note: one voter is slow"
    )


def test_a_tie_names_the_answers_and_claims_none():
    assert render.verdict(TIED).splitlines()[0] == "tied: 41 ×1, 42 ×1"
    assert render.answer(TIED) is None


def test_what_a_check_decided_is_told_as_such():
    why = "passed the check (1 of 3 tried)"
    checked = msgspec.structs.replace(DECIDED, tried=3, passed=1, margin=-1, stopped=why)
    assert render.verdict(checked).startswith("decided: passed the check (1 of 3 tried)\n")
    assert render.tried(4, True, "exit code 0") == "  seat 4 passed the check"
    why = "exit code 1: \x1b[2Jboom " + "x" * 500
    told = render.tried(4, False, why)
    assert told.startswith("  seat 4 failed the check: exit code 1: [2Jboom x")
    assert len(told) < 160


def test_a_calibrated_confidence_is_said():
    sure = msgspec.structs.replace(DECIDED, confidence=0.93)
    assert "; right about 93 times in 100 for numbers" in render.verdict(sure)


@pytest.mark.parametrize(("kind", "shown"), [("number", "42"), ("text", "so\n#### 42")])
def test_of_prose_the_whole_text_is_the_answer(kind, shown):
    assert render.answer(msgspec.structs.replace(DECIDED, answer_type=kind)) == shown


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"outcome": "tied"}, 7),
        ({"outcome": "expired"}, 6),
        ({"outcome": "cancelled"}, 1),
        ({"outcome": "failed"}, 1),
        ({"outcome": "failed", "asked": 3, "cast": 0, "declined": 2, "lost": 1}, 5),
    ],
)
def test_the_exit_code_tells_the_outcome(changes, code):
    assert exit_code(msgspec.structs.replace(DECIDED, **changes)) == code


def test_every_refusal_of_the_broker_has_its_exit_code():
    assert {code.value for code in Code} <= set(CODES)


def test_a_vote_is_told_with_its_seed_and_how_the_count_stands():
    progress = m.Progress(
        job="j", vote=record(2, "42"), cast=3, asked=8, leader="42", leader_votes=2
    )
    assert render.progress(progress) == (
        "  42  seat 2  seed 19  w1 abacus  120 ms  (3 of 8 in, 42 leads with 2)"
    )


def test_a_vote_cannot_write_to_the_terminal():
    hostile = m.Progress(job="j", vote=record(0, "\x1b[2J\nerror: you"), cast=1, asked=8)
    assert "\x1b" not in render.progress(hostile)
    assert len(render.progress(hostile).splitlines()) == 1


def test_the_json_of_a_verdict_holds_every_field_that_scripts_rely_on():
    """Source: CLI.md, `submit --json`."""
    told = json.loads(asjson.line(asjson.verdict(DECIDED)))
    assert list(told)[:2] == ["schema", "job"]
    assert told["schema"] == 1
    fields = "job outcome answer text agreement margin asked cast abstained declined lost cancelled"
    fields += " stopped tokens tokens_cancelled time_s votes"
    assert set(fields.split()) <= set(told)
    assert (told["answer"], told["text"]) == ("42", "so\n#### 42")
    fields = "seat seed node worker engine model digest answer text finish prompt_tokens tokens"
    assert set(told["votes"][0]) == {*fields.split(), "time_s"}
    assert told["votes"][3]["answer"] is None


def test_a_refused_question_of_a_file_has_the_shape_of_a_failed_job():
    problem = Problem(Code.NO_MODEL, "no such model", "there is abacus", "leave it out")
    told = asjson.refused(problem)
    assert (told["outcome"], told["answer"], told["votes"]) == ("failed", None, [])
    assert told["error"]["code"] == "no-model"


WORKER = m.WorkerReport(
    id="w1",
    pid=7,
    state="alive",
    engine="llamacpp",
    model="abacus",
    digest="sha256:00",
    slots=8,
    busy=2,
    tokens_per_s=412.4,
    memory_bytes=3 << 20,
    votes=12,
)
BROKEN = msgspec.structs.replace(
    WORKER,
    id="w2",
    pid=None,
    state="failed",
    tokens_per_s=None,
    memory_bytes=None,
    reason="no such file",
    restarts=4,
)
NODE = m.NodeReport(
    node=m.NodeFacts("key", "den", "0.1.0", 5, 75.0, "ipc:///h/broker.sock", "/h"),
    jobs=m.JobCounts(1, 2, 3, 4, 0, 0),
    workers=(WORKER, BROKEN),
)


def test_the_status_tells_node_jobs_and_workers():
    assert render.status(NODE, 120) == (
        "den  up 1 m 15 s  version 0.1.0  process 5\n"
        "jobs     2 running, 1 queued, 3 done, 4 votes lost\n"
        "address  ipc:///h/broker.sock\n"
        "\n"
        "WORKER  STATE   MODEL   ENGINE    BUSY  TOKENS/S  MEMORY   VOTES  PROCESS  WHY\n"
        "w1      alive   abacus  llamacpp  2/8   412       3.0 MiB  12     7\n"
        "w2      failed  abacus  llamacpp  2/8   -         -        12     -        "
        "no such file; started 5 times"
    )


def test_a_reason_that_the_terminal_cuts_follows_in_full():
    told = render.workers(NODE, 80).splitlines()
    assert told[2].endswith("-        no such f…")
    assert told[3:] == ["w2 failed: no such file"]
    assert len(render.workers(NODE, 120).splitlines()) == 3
    assert len(render.workers(NODE, None).splitlines()) == 3


def test_what_the_user_should_know_of_the_node_stands_in_the_status():
    noted = msgspec.structs.replace(NODE, notes=("the journal was damaged\x1b[2J",))
    assert "\nnote: the journal was damaged" in render.status(noted, 120)
    assert "\x1b" not in render.status(noted, 120)
    assert asjson.status(noted)["notes"] == noted.notes


def test_the_json_of_the_status_holds_every_field_that_scripts_rely_on():
    """Source: CLI.md, `status --json`."""
    told = json.loads(asjson.line(asjson.status(NODE)))
    fields = "id name version pid uptime_s address home"
    assert set(fields.split()) <= set(told["node"])
    assert {"queued", "running", "done", "lost_votes"} <= set(told["jobs"])
    fields = "id pid state engine model digest slots busy tokens_per_s memory_bytes"
    assert set(fields.split()) <= set(told["workers"][0])
    assert told["workers"][1]["tokens_per_s"] is None
    assert told["peers"] == []


def test_a_worker_is_told_of_once_for_each_state():
    states, lines = render.changes({}, NODE)
    assert lines == [
        "READY w1: abacus on llamacpp, 8 slots, 412 tokens/s",
        "w2 failed: no such file",
    ]
    assert render.changes(states, NODE) == (states, [])
    assert render.changes({**states, "w9": "alive"}, NODE)[1] == ["w9 has left"]


SEATS = (
    m.SeatReport(0, 17, "voted", 1, "w1", 0.001, 0.2),
    m.SeatReport(1, 18, "voted", 2, "w2", 0.3, 0.41, "w1 died"),
    m.SeatReport(2, 19, "waiting", 0, None, None, None),
)


def test_a_jobs_life_is_told_in_the_order_of_time():
    submit = m.Submit(job="0190", prompt="What is\n6 times 7?", votes=3)
    verdict = msgspec.structs.replace(DECIDED, votes=(record(0, "41"), record(1, "42")), notes=())
    told = render.job(m.JobReport("0190", "done", submit, SEATS, verdict)).splitlines()
    assert told[:9] == [
        "0190  done",
        "  asked    What is 6 times 7?",
        "           3 votes, temperature 0.8, answer auto, stop fast, timeout 1 m 0 s",
        "  0.000 s  accepted",
        "  0.001 s  seat 0 (seed 17) -> w1",
        "  0.200 s  seat 0 (seed 17) voted 41, 44 tokens",
        "  0.300 s  seat 1 (seed 18) -> w2, attempt 2",
        "  0.410 s  seat 1 (seed 18) voted 42, 44 tokens",
        "  0.410 s  verdict: decided, cannot be overtaken",
    ]
    assert told[9] == "  -        seat 2 (seed 19) waiting"


def test_the_json_of_a_job_tells_the_question_without_the_clients_own_wishes():
    submit = m.Submit(job="0190", prompt="?", choices=("A", "B"), watch=True)
    told = json.loads(asjson.line(asjson.job(m.JobReport("0190", "voting", submit, SEATS))))
    assert told["question"]["choices"] == ["A", "B"]
    assert "watch" not in told["question"]
    assert told["seats"][1]["reason"] == "w1 died"
    assert told["verdict"] is None


def test_of_one_moment_votes_come_before_their_verdict_and_recalled_seats_after_it():
    submit = m.Submit(job="0190", prompt="?", votes=2)
    seats = (
        m.SeatReport(0, 17, "voted", 1, "w1", 0.0, 0.0216),
        m.SeatReport(1, 18, "cancelled", 1, "w1", 0.0, 0.0216),
    )
    verdict = msgspec.structs.replace(DECIDED, time_s=0.02157, votes=(record(0, "42"),))
    told = render.job(m.JobReport("0190", "done", submit, seats, verdict)).splitlines()
    assert [line[11:].split(" (")[0] for line in told[3:9]] == [
        "accepted",
        "seat 0",
        "seat 1",
        "seat 0",
        "verdict: decided, cannot be overtaken",
        "seat 1",
    ]


def test_the_jobs_are_a_table_and_say_what_was_left_out():
    row = m.JobRow("0190", "voting", "", 8, 3, 61.0, "What is it?")
    listed = m.JobList((row,), more=4)
    assert render.jobs(listed, 100) == (
        "JOB   STATE   VOTES  AGE      ANSWER  PROMPT\n"
        "0190  voting  3/8    1 m 1 s  -       What is it?\n"
        "… and 4 more"
    )
    assert json.loads(asjson.line(asjson.jobs(listed)))["jobs"][0]["answer"] is None


def test_the_plan_names_what_was_chosen_and_by_whom():
    from detect.settings import from_flags, merge

    assert plan.line(plan.plan(merge(from_flags({"slots": 4})))) == (
        "1 worker × 4 slots of abacus (engine auto): slots from the flag --slots"
    )


def test_an_idle_gpu_and_a_worker_made_smaller_are_told_at_once():
    notes = ("WARN: RTX 4070 is here and not used", "runs on the CPU", "out of memory at load: x")
    loud = msgspec.structs.replace(NODE.workers[0], notes=notes)
    told = render.changes({}, msgspec.structs.replace(NODE, workers=(loud,)))[1]
    assert told[1:] == [f"  {loud.id}: {notes[0]}", f"  {loud.id}: {notes[2]}"]
