"""`submit --check`: the user's command against the votes of a real node."""

import os
import shlex
import signal

import pytest

from protocol import messages as m
from tests.swarmctl.shell import eventually, is_running

SCRIPT = "scripted:answers=42*7,41;tokens=5;step_s=0.001"
"""One answer in eight is 41: a vote never chooses it, a check may."""

ASK = ["submit", "What is 6 times 7?", "-n", "16", "--seed", "1"]


@pytest.fixture(scope="module")
def node(make_shell):
    shell = make_shell()
    code, _, err = shell.run("up", "--detach", "--model", SCRIPT, "--slots", "16")
    assert code == 0, err
    return shell


def test_the_first_vote_that_passes_wins_against_every_count(node):
    code, out, err = node.run(*ASK, "--check", "grep -qw 41")
    assert (code, out) == (0, "41\n")
    assert "decided: passed the check (1 of " in err


def test_json_tells_how_many_were_tried_and_passed(node):
    (told,) = node.json(*ASK, "--check", "grep -qw 41")
    assert (told["outcome"], told["answer"], told["passed"]) == ("decided", "41", 1)
    assert 1 <= told["tried"] <= told["cast"]
    (every,) = node.json(*ASK, "--check", "grep -qw 41", "--stop", "all")
    assert (every["tried"], every["cast"], every["cancelled"]) == (16, 16, 0)
    assert every["passed"] == sum(vote["answer"] == "41" for vote in every["votes"])


def test_when_none_passes_there_is_no_verdict(node):
    code, out, err = node.run(*ASK, "--check", "echo it is wrong; false")
    assert (code, out) == (7, "")
    assert "no candidate passed the check (16 tried)" in err
    assert err.splitlines()[-1] == "the last check: exit code 1: it is wrong"


def test_a_candidate_is_a_text_file_that_others_can_be_joined_to(node, tmp_path):
    more = tmp_path / "more"
    more.write_text("next\n")
    assert node.run(*ASK, "--check", f"cat - {more} | tail -1 | grep -x next")[0] == 0


def test_the_command_runs_where_and_as_the_caller_does_and_equal_texts_once(node, tmp_path):
    seen = tmp_path / "seen"
    command = f'tr -d "\\n" >> {seen}; echo " $SWARM_HOME $PWD" >> {seen}; false'
    assert node.run(*ASK, "--check", command)[0] == 7
    lines = seen.read_text().splitlines()
    assert len(lines) == 2, "two different texts were voted for"
    assert all(line.endswith(f" {node.path} {os.getcwd()}") for line in lines)


def test_a_check_that_does_not_end_fails_and_leaves_nothing_behind(node, tmp_path):
    pids = tmp_path / "pids"
    command = f"sleep 600 & echo $! >> {pids}; wait"
    code, _, err = node.run(*ASK, "--check", command, "--check-timeout", "300ms")
    assert code == 7
    assert "no candidate passed the check" in err
    left = [int(pid) for pid in pids.read_text().split()]
    assert left
    eventually(lambda: not any(is_running(pid) for pid in left))


def test_a_check_that_prints_without_end_is_bounded(node):
    code, _, _ = node.run(*ASK, "--check", "yes | head -c 20000000; grep -qw 42")
    assert code == 0


def test_an_interrupt_ends_the_check_and_the_job(node, tmp_path):
    pid = tmp_path / "pid"
    process = node.start(*ASK, "--check", f"echo $$ > {pid}; exec sleep 600")
    eventually(lambda: pid.exists() and pid.read_text().strip())
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    eventually(lambda: not is_running(int(pid.read_text())))
    newest = node.jobs()[0]
    assert node.ask(m.Show(job=newest.job), m.JobReport).verdict.outcome == "cancelled"


def test_a_broker_that_dies_under_a_check_is_told_again(make_shell, tmp_path):
    shell = make_shell()
    up = ["up", "--detach", "--model", SCRIPT, "--slots", "16"]
    assert shell.run(*up)[0] == 0
    (report,) = shell.json("status")
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    wait = f"touch {begun}; while [ ! -e {gate} ]; do sleep 0.01; done"
    process = shell.start(*ASK, "--check", f"{wait}; grep -qw 41")
    eventually(begun.exists)
    os.kill(report["node"]["pid"], signal.SIGKILL)
    eventually(lambda: not is_running(report["node"]["pid"]))
    assert shell.run(*up)[0] == 0
    gate.touch()
    assert process.wait(30) == 0


def test_of_code_the_block_alone_is_tried(make_shell):
    shell = make_shell()
    fenced = "scripted:answers=so: ```print(42)``` there"
    assert shell.run("up", "--detach", "--model", fenced)[0] == 0
    run = f"test $({shlex.quote(os.sys.executable)} -) = 42"
    code, out, err = shell.run("submit", "A program.", "--answer", "code", "--check", run)
    assert code == 0, err
    assert "print(42)" in out


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--check", " "], "--check is empty"),
        (["--check", "true", "--detach"], "--check with --detach"),
        (["--check", "true", "--check-timeout", "soon"], "--check-timeout 'soon'"),
        (["--check-timeout", "1s"], "--check-timeout without --check"),
        (["--check", "true", "--min-agreement", "0.5"], "--check with --min-agreement"),
    ],
)
def test_what_cannot_be_checked_is_refused(node, args, why):
    code, _, err = node.run("submit", "Which?", *args)
    assert code == 2
    assert f"error: {why}" in err
