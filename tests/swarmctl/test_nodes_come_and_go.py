"""`up`, `down`, `scale`, and nodes that live as long as one command."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from detect import home as homes
from swarmctl.client import broker_pid, is_listening
from tests.swarmctl.shell import eventually, is_running

FAST = "scripted:answers=42"
SLOW = "scripted:answers=42;tokens=100;step_s=0.1"


@pytest.fixture
def shell(make_shell):
    return make_shell(SWARM_MODEL=FAST, SWARM_SLOTS="2")


def test_without_a_worker_questions_are_refused_until_there_is_one(shell):
    assert shell.run("up", "--detach", "--workers", "0")[0] == 0
    code, out, err = shell.run("submit", "x")
    assert (code, out) == (5, "")
    assert "error: no worker is here" in err
    assert "hint: start one: swarmctl scale 1" in err
    questions = shell.path / "q.jsonl"
    questions.write_text('{"prompt": "a"}\n{"prompt": "b", "id": "second"}\n')
    code, out, _ = shell.run("submit", "--file", str(questions), "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, [line["id"] for line in told]) == (5, [1, "second"])
    assert {line["error"]["code"] for line in told} == {"no-worker"}
    assert {line["outcome"] for line in told} == {"failed"}
    assert shell.json("scale", "1") == [{"schema": 1, "workers": 1, "before": 0}]
    assert shell.run("submit", "x")[:2] == (0, "42\n")
    assert shell.json("down") == [{"schema": 1, "stopped": True, "running": 0}]
    assert shell.run("status")[0] == 4


def test_a_client_survives_the_death_of_its_broker_if_another_one_comes(make_shell):
    shell = make_shell(SWARM_MODEL="scripted:answers=42;tokens=10;step_s=0.1")
    assert shell.run("up", "--detach")[0] == 0
    with shell.start("submit", "x", "--json", stdout=subprocess.PIPE) as process:
        job = eventually(lambda: [r.job for r in shell.jobs() if r.state == "voting"])[0]
        os.kill(broker_pid(shell.home), signal.SIGKILL)
        eventually(lambda: not shell.is_up)
        assert shell.run("up", "--detach")[0] == 0
        told = json.loads(process.stdout.read())
    assert (process.returncode, told["job"], told["answer"]) == (0, job, "42")


def test_a_client_whose_broker_dies_says_how_to_ask_again(make_shell):
    shell = make_shell(SWARM_MODEL=SLOW)
    assert shell.run("up", "--detach")[0] == 0
    with shell.start("submit", "x", stderr=subprocess.PIPE) as process:
        job = eventually(lambda: [r.job for r in shell.jobs() if r.state == "voting"])[0]
        os.kill(broker_pid(shell.home), signal.SIGKILL)
        said = process.stderr.read().decode()
    assert process.returncode == 4
    assert said.startswith("error: the node has ended\n")
    assert f"swarmctl jobs wait {job}" in said


@pytest.mark.parametrize("how", ["--detach", "--yes"])
def test_workers_that_cannot_start_end_the_node_with_the_reason(shell, how):
    code, _, err = shell.run("up", how, "--model", "scripted:fail=load")
    assert code == 5
    assert "because: the scripted engine does not load" in err
    assert not shell.is_up


def test_a_model_file_that_is_not_there_is_told_by_a_private_node_too(shell):
    code, out, err = shell.run("submit", "x", "--model", "/nonexistent.gguf")
    assert (code, out) == (5, "")
    assert "cannot read the model file /nonexistent.gguf" in err
    assert list(shell.path.glob("swarm-private-*")) == []


def test_a_model_that_is_nowhere_is_told(shell):
    code, _, err = shell.run("up", "--detach", "--model", "gpt-9")
    assert code == 5
    assert "because: no model 'gpt-9': it is no file here, and no name known here" in err


def test_in_the_foreground_workers_are_told_of_and_an_interrupt_ends_the_node(shell):
    process = shell.start("up", "--yes", stderr=subprocess.PIPE)
    with process.stderr:
        for line in process.stderr:
            if line.startswith(b"READY w1: "):
                break
        pid = broker_pid(shell.home)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.wait(10) == 0
    assert b"finishing what runs; Ctrl-C again ends it at once" in rest
    assert not is_running(pid)


@contextlib.contextmanager
def at_work(shell):
    """A node in the foreground that has taken a long job."""
    process = shell.start("up", "--yes", stderr=subprocess.PIPE)
    with process.stderr:
        for line in process.stderr:
            if line.startswith(b"READY w1: "):
                break
        shell.run("submit", "--detach", "Long?")
        yield process


def test_a_second_interrupt_ends_a_node_that_still_works(make_shell):
    shell = make_shell(SWARM_MODEL=SLOW)
    with at_work(shell) as process:
        process.send_signal(signal.SIGTERM)
        assert b"finishing" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert b"ending now" in process.stderr.read()
    assert not shell.is_up


def test_two_interrupts_that_reach_the_broker_as_one_signal_end_it_too(make_shell):
    shell = make_shell(SWARM_MODEL=SLOW)
    with at_work(shell) as process:
        broker = broker_pid(shell.home)
        os.kill(broker, signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        assert b"finishing" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert b"ending now" in process.stderr.readline()
        os.kill(broker, signal.SIGCONT)
        assert process.wait(10) == 0


def test_a_node_in_the_foreground_does_not_outlive_a_kill_of_its_command(shell):
    process = shell.start("up", "--yes", stderr=subprocess.PIPE)
    with process.stderr:
        for line in process.stderr:
            if line.startswith(b"READY w1: "):
                break
        worker = shell.json("workers")[0]["workers"][0]["pid"]
        broker = broker_pid(shell.home)
        process.kill()
        process.wait(10)
    eventually(lambda: not is_running(broker) and not is_running(worker))


def test_a_private_node_answers_and_leaves_nothing_behind(shell):
    code, out, err = shell.run("submit", "x", "-n", "3")
    assert (code, out) == (0, "42\n")
    assert err.startswith(f"no node runs here; starting a private one with {FAST}\n")
    assert list(shell.path.iterdir()) == []


def private_home(shell):
    """The home of the private node, once its broker listens and holds its lock."""
    for folder in shell.path.glob("swarm-private-*"):
        home = homes.find({"SWARM_HOME": str(folder)})
        if is_listening(home) and broker_pid(home):
            return home
    return None


def test_a_private_node_does_not_outlive_a_kill_of_its_command(make_shell):
    shell = make_shell(SWARM_MODEL=SLOW)
    process = shell.start("submit", "x", stderr=subprocess.DEVNULL)
    home = eventually(lambda: private_home(shell))
    broker = broker_pid(home)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    eventually(lambda: not is_running(broker))
    eventually(lambda: list(shell.path.iterdir()) == [])


def test_an_interrupt_of_a_file_keeps_what_was_answered(make_shell):
    shell = make_shell(SWARM_MODEL="scripted:answers=42;tokens=2;step_s=0.1")
    questions, out = shell.path / "q.jsonl", shell.path / "out.jsonl"
    questions.write_text('{"prompt": "x"}\n' * 200)
    args = ["--file", str(questions), "--out", str(out), "-n", "1"]
    with shell.start("submit", *args, stderr=subprocess.PIPE) as process:
        eventually(lambda: out.exists() and out.stat().st_size)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
    assert process.returncode == 130
    answered = len(out.read_text().splitlines())
    assert 0 < answered < 200
    assert f"{answered} of 200 questions were answered" in said


def test_an_interrupt_while_a_private_node_works_ends_both(make_shell):
    shell = make_shell(SWARM_MODEL=SLOW)
    process = shell.start("submit", "x", stderr=subprocess.DEVNULL)
    home = eventually(lambda: private_home(shell))
    broker = broker_pid(home)
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 130
    assert not is_running(broker)
    assert list(shell.path.iterdir()) == []
