"""`submit --judge`: a second model of a real node chooses among the finalists of a prose vote."""

import os
import signal
import subprocess
import sys

import pytest

from broker.seeds import seed_of
from broker.voting import finals
from protocol import messages as m
from tests.swarmctl.shell import eventually, is_running
from worker.engines import scripted

VOTER = "scripted:answers=the red cat sat down,the red cat ran,zebras,the cat ran off;tokens=2"
FAIR = "scripted:answers=A,B"
"""Says A or B by seed and prompt: what it will say of each question can be worked out here."""

BIASED = "scripted:answers=A"
SLOW = "scripted:answers=A;tokens=400;step_s=0.05"
SILENT = "scripted:answers=neither is any good"

PROMPT = "Tell me something."


def start(shell, model):
    worker = [sys.executable, "-m", "worker", "--model", model, "--slots", "4"]
    return subprocess.Popen(worker, env=shell.env, start_new_session=True)


def node_of(make_shell, *judges):
    """A node with voters and judges; the judges' processes, which end with the broker."""
    shell = make_shell()
    code, _, err = shell.run("up", "--detach", "--model", VOTER, "--slots", "8")
    assert code == 0, err
    others = [start(shell, judge) for judge in judges]
    eventually(lambda: alive(shell) == 1 + len(judges))
    return shell, others


def alive(shell):
    report = shell.ask(m.Status(), m.NodeReport)
    return sum(worker.state == "alive" for worker in report.workers)


@pytest.fixture(scope="module")
def node(make_shell):
    shell, others = node_of(make_shell, FAIR, BIASED, SILENT, SLOW)
    yield shell
    for process in others:
        process.kill()
        process.wait()


def ask(judge, seed=1, prompt=PROMPT):
    return ["submit", prompt, "-n", "8", "--seed", str(seed), "--model", VOTER, "--judge", judge]


def expected(verdict, seed):
    """The winner's text, worked out from the votes and from what the script says."""
    texts = [" ".join(vote["text"].split()) for vote in verdict["votes"]]
    script = scripted.parse(FAIR)

    def says(a, b):
        question = finals.question(PROMPT, texts[final[a]], texts[final[b]])
        return script.choose(seed_of(seed, 0), question)

    final = finals.finalists(texts, counted(texts))
    said = {pair: says(*pair) for pair in finals.pairs(len(final))}
    return texts[final[finals.winner(len(final), finals.preferences(said))]], said


def counted(texts):
    """What the count takes: some text of these few comes twice."""
    most = max(texts.count(text) for text in texts)
    assert most > 1
    reached = {}
    for text in texts:
        reached[text] = reached.get(text, 0) + 1
        if reached[text] == most:
            return text
    return None


def test_the_judge_picks_what_it_prefers_in_both_orders_and_the_verdict_tells(node):
    steady = 0
    for seed in range(1, 7):
        (told,) = node.json(*ask(FAIR, seed))
        text, said = expected(told, seed)
        assert (told["outcome"], told["answer"]) == ("decided", text), (seed, told["stopped"])
        assert told["stopped"].startswith(f"the judge {FAIR} compared seats ")
        assert "in both orders: " in told["stopped"]
        assert f"({len(said)} questions, " in told["stopped"]
        assert (told["tried"], told["passed"], told["cast"]) == (8, 1, 8)
        steady += " over " in told["stopped"]
    assert steady, "no preference held: nothing was shown"


def test_what_the_judge_decided_is_kept_and_told_to_others(node):
    (told,) = node.json(*ask(FAIR))
    (waited,) = node.json("jobs", "wait", told["job"])
    assert waited["stopped"] == told["stopped"]
    code, _, err = node.run("jobs", "wait", told["job"])
    assert code == 0
    assert err.startswith("decided: the judge scripted:")


def test_a_judge_that_goes_by_the_place_leaves_it_to_the_count(node):
    (told,) = node.json(*ask(BIASED))
    texts = [vote["text"] for vote in told["votes"]]
    assert told["answer"] == counted(texts)
    assert "not told apart" in told["stopped"]
    assert "as without a judge" in told["stopped"]


def test_a_judge_that_says_nothing_usable_is_told_of(node):
    (told,) = node.json(*ask(SILENT))
    assert told["outcome"] == "decided"
    assert "6 had no answer: no usable answer" in told["stopped"]


def test_a_judge_that_takes_too_long_costs_the_answer_nothing(node):
    (told,) = node.json(*ask(SLOW), "--timeout", "3s")
    assert told["outcome"] == "decided"
    assert "no time was left" in told["stopped"]
    eventually(lambda: all(job.state == "done" for job in node.jobs()))


def test_an_interrupt_ends_the_job_and_what_the_judge_was_asked(node):
    process = node.start(*ask(SLOW))
    eventually(lambda: sum(job.state != "done" for job in node.jobs()) == 7)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    eventually(lambda: all(job.state == "done" for job in node.jobs()))
    assert [job.outcome for job in node.jobs()[:7]] == ["cancelled"] * 7


def test_equal_texts_need_no_judge(make_shell):
    shell = make_shell()
    assert shell.run("up", "--detach", "--model", "scripted:answers=Yes.")[0] == 0
    code, out, err = shell.run("submit", PROMPT, "--judge", "scripted:answers=Yes.")
    assert (code, out) == (0, "Yes.\n"), err
    assert "every text is the same" in err


def test_a_broker_that_dies_while_the_judge_thinks_ends_the_job_with_one_verdict(make_shell):
    slow = "scripted:answers=A,B;tokens=20;step_s=0.1"
    shell, others = node_of(make_shell, slow)
    (report,) = shell.json("status")
    try:
        process = shell.start(*ask(slow), "--json", stdout=subprocess.PIPE)
        eventually(lambda: len(shell.jobs()) == 7)
        os.kill(report["node"]["pid"], signal.SIGKILL)
        eventually(lambda: not is_running(report["node"]["pid"]))
        assert shell.run("up", "--detach", "--model", VOTER, "--slots", "8")[0] == 0
        out, _ = process.communicate(timeout=60)
    finally:
        others[0].kill()  # one that was started by hand finds the next broker by itself
        others[0].wait()
    assert process.returncode == 0
    assert b'"outcome":"decided"' in out
    assert b"(6 questions, " in out
    assert b"had no answer" not in out


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (["--judge", "gpt-none"], 5, "no worker has the judge's model 'gpt-none'"),
        (["--judge", " "], 2, "--judge is empty"),
        (["--judge", FAIR, "--answer", "number"], 2, "--judge with --answer number"),
        (["--judge", FAIR, "--choices", "yes,no"], 2, "--judge with --answer choice"),
        (["--judge", FAIR, "--check", "true"], 2, "--judge with --check"),
        (["--judge", FAIR, "--detach"], 2, "--judge with --detach"),
        (["--judge", FAIR, "-n", "1"], 2, "--judge with one vote"),
        (["--judge", FAIR, "--min-agreement", "0.5"], 2, "--judge with --min-agreement"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_runs(node, args, code, why):
    before = node.jobs()[0].job
    got, out, err = node.run("submit", PROMPT, *args)
    assert (got, out) == (code, "")
    assert f"error: {why}" in err
    assert node.jobs()[0].job == before, "a job was put"


def test_without_a_node_there_is_no_judge(make_shell):
    code, _, err = make_shell().run("submit", PROMPT, "--judge", FAIR)
    assert code == 4
    assert "no judge beside it" in err
