"""The command line against a node that runs: real broker, real worker, scripted answers."""

import fcntl
import json
import os
import pty
import resource
import signal
import subprocess

import pytest

from protocol import messages as m
from tests.swarmctl.shell import eventually

SCRIPT = "scripted:answers=42*6,41*2;tokens=5;step_s=0.01"
"""Three answers in four are 42; one takes 50 ms, so 64 votes on two slots take 1.6 s."""

SLOW = "scripted:answers=42;tokens=100;step_s=0.05"
"""One answer takes 5 s: a job is there for as long as any test needs it."""


@pytest.fixture(scope="module")
def node(make_shell):
    shell = make_shell()
    code, _, err = shell.run("up", "--detach", "--model", SCRIPT, "--slots", "2")
    assert code == 0, err
    assert "READY w1" in err
    return shell


@pytest.fixture(scope="module")
def slow_node(make_shell):
    shell = make_shell()
    code, _, err = shell.run("up", "--detach", "--model", SLOW)
    assert code == 0, err
    return shell


def test_off_a_terminal_only_the_answer_is_on_stdout(node):
    code, out, err = node.run("submit", "What is 6 times 7?", "--seed", "1")
    assert (code, out) == (0, "42\n")
    assert err.startswith("decided by ")
    assert "seeds for it: " in err


def test_a_question_may_be_piped_in(node):
    for args in (["submit"], ["submit", "-"]):
        assert node.run(*args, "--seed", "1", stdin=b"What is 6 times 7?\n")[1] == "42\n"


def test_json_tells_every_vote_and_the_same_seed_tells_the_same(node):
    ask = ["submit", "Again?", "-n", "8", "--seed", "1", "--stop", "all"]
    (first,), (second,) = node.json(*ask), node.json(*ask)
    assert first["job"] != second["job"]
    assert len({vote["seed"] for vote in first["votes"]}) == 8
    by_seat = [
        {v["seat"]: (v["seed"], v["text"]) for v in told["votes"]} for told in (first, second)
    ]
    assert by_seat[0] == by_seat[1]
    assert first["asked"] == first["cast"] == 8


def test_temperature_0_with_several_votes_is_said_and_counts_as_one(node):
    code, _, err = node.run("submit", "Sure?", "-n", "4", "--temperature", "0")
    assert code == 0
    assert err.count("note: temperature 0") == 1
    assert "1 of 1 vote cast" in err


def test_answers_that_are_no_choice_give_no_verdict(node):
    code, out, err = node.run("submit", "Which?", "--choices", "A,B")
    assert (code, out) == (1, "")
    assert "8 abstained" in err


def test_answers_fit_the_schema_or_abstain(make_shell, tmp_path):
    shell = make_shell()
    assert shell.run("up", "--detach", "--model", "scripted:echo")[0] == 0
    file = tmp_path / "schema.json"
    file.write_text('{"properties": {"age": {"type": "integer"}}, "required": ["age"]}')
    ask = ["--schema", str(file), "-n", "2"]
    (told,) = shell.json("submit", '{"age": 36.0}', *ask)
    assert (told["answer"], told["answer_type"], told["cast"]) == ('{"age":36}', "json", 2)
    code, out, err = shell.run("submit", '{"age": "36"}', *ask)
    assert (code, out) == (1, "")
    assert "2 abstained" in err


def test_too_little_agreement_is_no_verdict(node):
    ask = ["submit", "Clear?", "--seed", "1", "-n", "16", "--min-agreement", "1", "--stop", "all"]
    code, out, err = node.run(*ask)
    assert (code, out) == (7, "")
    assert err.startswith("tied: 42 ×")


def test_a_job_that_takes_too_long_expires(node):
    code, out, _ = node.run("submit", "Soon?", "-n", "64", "--stop", "all", "--timeout", "200ms")
    assert (code, out) == (6, "")


def test_a_detached_job_can_be_waited_for_and_shown(node):
    code, out, _ = node.run("submit", "Later?", "--detach", "--seed", "1")
    assert code == 0
    job = out.strip()
    (told,) = node.json("jobs", "wait", job)
    assert (told["job"], told["outcome"]) == (job, "decided")
    (shown,) = node.json("jobs", "show", job)
    assert shown["question"]["prompt"] == "Later?"
    assert {"schema": 1, **shown["verdict"]} == told
    assert "verdict: decided" in node.run("jobs", "show", job)[1]
    assert job in [row["job"] for row in node.json("jobs", "ls")[0]["jobs"]]


def test_several_jobs_are_told_in_the_order_asked_for_and_a_missing_one_apart(node):
    jobs = [node.run("submit", "One?", "--detach")[1].strip() for _ in range(2)]
    code, out, err = node.run("jobs", "wait", jobs[1], "nobody", jobs[0], "--json")
    assert code == 3
    assert [json.loads(line)["job"] for line in out.splitlines()] == [jobs[1], jobs[0]]
    assert "error: no job 'nobody'" in err


def test_when_the_time_to_wait_is_over_what_has_ended_is_told_all_the_same(slow_node):
    long = slow_node.run("submit", "Long?", "--detach")[1].strip()
    ended = slow_node.run("submit", "Short?", "--detach")[1].strip()
    slow_node.json("jobs", "cancel", ended)
    for timeout in ("0", "1ms"):
        code, out, err = slow_node.run(
            "jobs", "wait", long, ended, "nobody", "--json", "--timeout", timeout
        )
        assert code == 6
        assert json.loads(out)["job"] == ended
        assert f"error: the job {long} has not ended yet" in err
        assert "error: no job 'nobody'" in err
    slow_node.json("jobs", "cancel", long)


@pytest.mark.parametrize("timeout", ["soon", "-1s", "nan", "inf", ""])
def test_a_time_to_wait_that_is_none_is_told(slow_node, timeout):
    code, _, err = slow_node.run("jobs", "wait", "any", "--timeout", timeout)
    assert code == 2
    assert f"error: --timeout {timeout!r}" in err
    assert "hint: 500ms" in err


def test_a_job_can_be_cancelled_and_waiting_for_it_may_end_before_it(slow_node):
    job = slow_node.run("submit", "Long?", "--detach")[1].strip()
    code, _, err = slow_node.run("jobs", "wait", job, "--timeout", "1ms")
    assert code == 6
    assert "has not ended yet" in err
    (told,) = slow_node.json("jobs", "cancel", job)
    assert told["outcome"] == "cancelled"
    assert slow_node.run("jobs", "wait", job)[0] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_the_job_and_not_only_the_client(slow_node, number):
    before = {row.job for row in slow_node.jobs()}
    process = slow_node.start("submit", f"Stop by {number}?")
    started = eventually(
        lambda: [r.job for r in slow_node.jobs() if r.job not in before and r.state == "voting"]
    )
    process.send_signal(number)
    assert process.wait(10) == 130
    report = slow_node.ask(m.Show(job=started[0]), m.JobReport)
    assert report.verdict.outcome == "cancelled"


def on_a_terminal(node, *args):
    """The exit code of a command, and what a terminal was sent by it."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reader:
        process = node.start(*args, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while part := reader.read(4096):
                shown += part
        except OSError:
            pass  # Linux says EIO when the last writer has gone
    return process.wait(10), shown.decode()


def test_on_a_terminal_votes_are_told_as_they_arrive(node):
    args = ("submit", "Live?", "-n", "4", "--seed", "1", "--stop", "all")
    code, shown = on_a_terminal(node, *args)
    assert code == 0
    lines = shown.splitlines()
    assert sum("seat " in line and "seed " in line for line in lines) == 4
    assert "\x1b[32mdecided\x1b[0m by" in shown
    assert "42" in lines


def test_on_a_terminal_a_file_tells_how_far_it_is(node, questions, tmp_path):
    out = str(tmp_path / "results.jsonl")
    args = ("submit", "--file", str(questions), "--out", out, "-n", "12", "--stop", "all")
    code, shown = on_a_terminal(node, *args)
    assert code == 0
    assert " of 12 answered, " in shown
    assert shown.endswith("\r\x1b[2K12 questions asked: 12 decided\r\n")


QUESTIONS = [{"prompt": f"What is {i} plus 1?", "answer": str(i + 1)} for i in range(12)]


@pytest.fixture
def questions(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    return file


def test_a_file_of_questions_gives_a_line_each_in_its_order(node, questions):
    told = node.json("submit", "--file", str(questions), "-n", "2")
    assert [line["id"] for line in told] == list(range(1, 13))
    assert all(line["schema"] == 1 and line["votes"] for line in told)
    code, out, _ = node.run("submit", "--file", str(questions), "-n", "3", "--seed", "1")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(i) for i in range(1, 13)]


def test_a_file_is_gone_on_with_where_it_was_torn(node, questions, tmp_path):
    out = tmp_path / "results.jsonl"
    first = tmp_path / "first.jsonl"
    first.write_text("".join(questions.read_text().splitlines(keepends=True)[:4]))
    run = ["submit", "-n", "1", "--out", str(out), "--file"]
    assert node.run(*run, str(first))[:2] == (0, "")
    whole = out.read_bytes()
    torn = whole[:-20]
    out.write_bytes(torn)
    assert node.run(*run, str(questions))[:2] == (0, "")
    lines = out.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["id"] for line in lines] == list(range(1, 13))
    assert lines[:3] == whole.splitlines(keepends=True)[:3]
    done = out.read_bytes()
    assert node.run(*run, str(questions))[0] == 0
    assert out.read_bytes() == done


def test_questions_that_were_refused_are_told_of_and_asked_again_by_the_next_run(
    node, questions, tmp_path
):
    out = tmp_path / "results.jsonl"
    run = ["submit", "-n", "1", "--file", str(questions), "--out", str(out)]
    code, _, err = node.run(*run, "--model", "nobody-has-it")
    assert code == 5
    assert out.read_bytes() == b""
    assert err.splitlines()[0] == "12 questions asked: 12 refused"
    assert err.count("error: no worker has the model 'nobody-has-it'") == 1
    code, _, err = node.run(*run)
    assert (code, err) == (0, "12 questions asked: 12 decided\n")
    assert len(out.read_bytes().splitlines()) == 12
    assert node.run(*run) == (0, "", "0 questions asked; 12 already answered\n")


def test_a_file_tells_why_some_questions_have_no_verdict(node, questions):
    code, out, err = node.run("submit", "--file", str(questions), "--choices", "yes,no")
    assert code == 1
    assert out.splitlines()[0] == "1\t\t0.00"
    assert err.splitlines() == [
        "12 questions asked: 12 failed",
        "  12 × no usable answer",
    ]


@pytest.mark.parametrize(
    "args",
    [["submit", "--system", b"\xff", "x"], ["jobs", "show", b"\xff"], ["jobs", "wait", b"\xff"]],
)
def test_an_argument_that_is_no_text_is_told(node, args):
    code, _, err = node.run(*args)
    assert code == 2
    assert "error: '\\udcff' is no text" in err


def test_a_disk_without_room_for_results_is_told_and_what_is_there_is_gone_on_with(
    node, questions, tmp_path
):
    out = tmp_path / "results.jsonl"
    run = ["submit", "-n", "2", "--file", str(questions), "--out", str(out)]

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    with node.start(*run, stderr=subprocess.PIPE, preexec_fn=small) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"error: cannot write {out}\nbecause: File too large\nhint: make room" in err.decode()
    assert b"Traceback" not in err
    assert all(job.state == "done" for job in node.jobs())
    assert node.run(*run)[0] == 0
    lines = out.read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(1, 13))


def test_two_commands_do_not_write_to_one_file_of_results(node, questions, tmp_path):
    out = tmp_path / "results.jsonl"
    with out.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        code, _, err = node.run("submit", "--file", str(questions), "--out", str(out))
    assert code == 2
    assert f"error: {out} is in use\nbecause: another swarmctl submit" in err


@pytest.mark.parametrize("count", ["65", str(10**30)])
def test_more_workers_than_a_node_may_have_are_refused(node, count):
    code, _, err = node.run("scale", count)
    assert (code, err.splitlines()[1]) == (2, "because: it takes a whole number, 0 to 64")


def test_a_broker_that_is_stopped_is_told_and_not_waited_for(node):
    (report,) = node.json("status")
    os.kill(report["node"]["pid"], signal.SIGSTOP)
    try:
        code, _, err = node.run("status")
    finally:
        os.kill(report["node"]["pid"], signal.SIGCONT)
    assert code == 4
    assert f"kill -CONT {report['node']['pid']}" in err


def test_a_second_node_in_the_same_home_is_refused_and_the_first_goes_on(node):
    code, _, err = node.run("up", "--yes")
    assert code == 1
    assert "error: a node runs here already" in err
    assert node.run("status")[0] == 0


def test_off_a_terminal_tables_are_tab_separated(node):
    head, row = node.run("workers")[1].splitlines()
    assert head.split("\t")[:3] == ["WORKER", "STATE", "MODEL"]
    assert row.split("\t")[:2] == ["w1", "alive"]
    assert node.json("workers")[0]["workers"][0]["slots"] == 2
