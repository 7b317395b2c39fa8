"""Answers in LaTeX that math-verify proves equal, in a process that can be ended."""

import json
import subprocess
import sys

from broker.voting.evaluate import Case, Sample, read
from swarmctl import equations

HALF = ["\\frac{a}{2}", "\\frac{1}{2}a", "0.5a"]
TOWER = "9^{9^{9^{9^{9^{9}}}}}"
"""Its value has more digits than there is memory."""


def latex(gold: str, *answers: str):
    votes = tuple(Sample("m", f"so \\boxed{{{answer}}}") for answer in answers)
    return read(Case(gold, votes, "latex"))


def test_forms_that_are_equal_are_one_answer_and_right_when_the_known_one_equals_them():
    one = latex(HALF[0], HALF[1], HALF[2], "b", "b")
    assert (one.share_right, one.won) == (0.0, "b")
    (same,), note = equations.merge([one])
    assert (same.share_right, same.won) == (0.5, HALF[0])
    assert note == (
        "math-verify proved answers equal that are spelled differently in 1 of 1 question"
    )


def test_other_answer_types_start_nothing(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere")
    number = read(Case("1", (Sample("m", "1"), Sample("m", "2")), "number"))
    assert equations.merge([number]) == ([number], "")


def test_what_cannot_be_worked_out_leaves_its_question_and_no_other():
    reads = [latex(TOWER, TOWER + "+1", "x"), latex(HALF[0], HALF[1], HALF[1])]
    (hard, easy), _ = equations.merge(reads)
    assert hard.share_right == 0.0
    assert easy.share_right == 1.0


def test_a_process_that_is_silent_is_ended_and_answers_stay_as_spelled(monkeypatch):
    monkeypatch.setattr(equations, "QUESTION_S", 0.0)
    reads = [latex(HALF[0], HALF[1], "b", "b")] * 9
    found, note = equations.merge(reads)
    assert found == reads
    assert f"; it was stopped {equations.ENDED_MAX + 1} times" in note


def test_without_the_extra_spelling_counts_and_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(equations, "PACKAGE", "no_such_package")
    reads = [latex(HALF[0], HALF[1], HALF[1])]
    found, note = equations.merge(reads)
    assert found == reads
    assert "pip install 'local-swarm[math]'" in note


def test_nothing_of_ours_imports_the_extra():
    told = "import swarmctl.evaluate, swarmctl.equations, sys; print('math_verify' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True)
    assert out.stdout == b"False\n"


def test_the_command_grades_formulas_as_mathematics(make_shell, tmp_path):
    votes = [{"model": "m", "text": f"\\boxed{{{form}}}"} for form in HALF]
    file = tmp_path / "votes.jsonl"
    file.write_text(json.dumps({"answer": HALF[0], "answer_type": "latex", "votes": votes}) + "\n")
    code, out, err = make_shell().run("eval", "--recorded", str(file))
    assert code == 0, err
    assert out.splitlines()[1].split("\t")[:4] == ["all", "1", "100.0%", "100.0%"]
    assert "math-verify proved answers equal" in err
