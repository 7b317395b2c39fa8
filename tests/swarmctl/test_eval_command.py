"""`swarmctl eval`: on votes on record, on a real node, and on files with mistakes."""

import json
import random
from xml.etree import ElementTree

import pytest

from broker.voting.calibration import OWN_NEEDED, confidence
from broker.voting.evaluate import Case, Point, Sample, evaluate, read
from swarmctl import cases, evaluate_text, plot
from swarmctl.exits import Failure

SCRIPT = "scripted:answers=#### 42*5,#### 41*2,#### 40;tokens=5"


@pytest.fixture(scope="module")
def shell(make_shell):
    return make_shell()


@pytest.fixture
def votes(tmp_path):
    """Ten questions: in all but two the majority is right."""
    file = tmp_path / "votes.jsonl"
    lines = []
    for i in range(10):
        texts = ["41", "41", "42"] if i < 2 else ["42", "42", "41"]
        told = [{"model": "m", "text": f"#### {text}", "tokens": 8} for text in texts]
        lines.append(json.dumps({"id": i, "answer": 42, "votes": told}))
    file.write_text("\n".join(lines) + "\n")
    return file


def test_votes_on_record_need_no_node(shell, votes):
    code, out, err = shell.run("eval", "--recorded", str(votes))
    assert (code, shell.is_up) == (0, False)
    head, row = out.splitlines()[:2]
    assert head.split("\t")[:4] == ["OF", "QUESTIONS", "ONE SAMPLE", "VOTE"]
    assert row.split("\t")[:5] == ["all", "10", "60.0%", "80.0%", "+20.0"]
    assert "no difference is shown" in err or "right more often" in err


def test_what_is_not_on_record_is_a_dash_and_the_best_model_is_named():
    votes = (Sample("good", "#### 1"), Sample("bad", "#### 2"), Sample("bad", "#### 2"))
    found = evaluate([read(Case("1", votes, "number"))] * 12, random.Random(1))
    told = evaluate_text.evaluation(found, None).splitlines()
    assert told[1].endswith("\t- -> -\t- -> -")
    assert told[4] == "good\t12\t100.0%\t-"
    sentences = evaluate_text.conclusion(found).splitlines()
    assert sentences[0].startswith("the vote is right less often than one sample on these 12 ")
    assert sentences[1] == "the best model alone, good, is right 100.0% of the time"


def test_a_few_questions_cannot_tell():
    votes = (Sample("m", "#### 1"),)
    found = evaluate([read(Case("1", votes, "number"))] * 3, random.Random(1))
    assert evaluate_text.conclusion(found) == "3 questions cannot tell: +0.0 points on these"


def test_json_tells_the_same_twice(shell, votes):
    first, second = (shell.json("eval", "--recorded", str(votes)) for _ in range(2))
    assert first == second
    (told,) = first
    assert told["schema"] == 1
    assert told["all"]["questions"] == 10
    assert [point["seats"] for point in told["curve"]] == [1, 2, 3]
    assert told["curve"][2]["accuracy"] == told["all"]["vote"] == 0.8


def test_the_plot_is_an_svg_with_a_point_for_each_number_of_seats(shell, votes, tmp_path):
    picture = tmp_path / "p.svg"
    assert shell.run("eval", "--recorded", str(votes), "--plot", str(picture))[0] == 0
    root = ElementTree.fromstring(picture.read_text())
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == 3


def test_a_plot_under_another_ending_is_refused_before_anything_is_asked(shell, votes):
    code, out, err = shell.run("eval", "--recorded", str(votes), "--plot", "p.png")
    assert (code, out) == (2, "")
    assert "error: --plot p.png\nbecause: the drawing is SVG" in err


def test_every_point_of_a_plot_is_inside_it_and_titles_are_text():
    for low, at, high in ((0.0, 0.0, 0.0), (0.2, 0.5, 0.9), (1.0, 1.0, 1.0)):
        points = [Point(seats, at, low, high) for seats in (1, 2, 64)]
        root = ElementTree.fromstring(plot.svg(points, "<a> & b"))
        circles = root.findall("{http://www.w3.org/2000/svg}circle")
        for circle in circles:
            assert 0 <= float(circle.get("cx")) <= plot.WIDTH
            assert plot.TOP <= float(circle.get("cy")) <= plot.HEIGHT - plot.BOTTOM


def test_a_real_node_is_asked_and_its_votes_can_be_used_again(make_shell, tmp_path):
    node = make_shell()
    assert node.run("up", "--detach", "--model", SCRIPT, "--slots", "8")[0] == 0
    questions = tmp_path / "q.jsonl"
    questions.write_text(
        "".join(
            json.dumps({"prompt": f"How many, {i}?", "answer": "42", "id": f"q{i}"}) + "\n"
            for i in range(12)
        )
        + json.dumps({"prompt": "Which?", "answer": "a", "choices": ["a", "b"]})
        + "\n"
    )
    kept = tmp_path / "votes.jsonl"
    (live,) = node.json("eval", str(questions), "--record", str(kept), "--seed", "3")
    assert live["all"]["questions"] == 13
    assert live["kinds"]["number"]["vote"] > live["kinds"]["number"]["one"]
    assert live["kinds"]["choice"]["undecided"] == 1
    assert live["all"]["time_vote_s"] > 0
    (again,) = node.json("eval", "--recorded", str(kept))
    assert again == live, "a file of votes tells what was told of them"


def test_a_node_learns_from_known_answers_how_far_to_trust_its_votes(make_shell, tmp_path):
    """Its one model says 42 whatever is asked; that is right in one question of three."""
    node = make_shell()
    up = ("up", "--detach", "--model", "scripted:answers=#### 42;tokens=2", "--slots", "8")
    assert node.run(*up)[0] == 0
    ask = ("submit", "How many are left?", "-n", "3", "--seed", "1")
    (before,) = node.json(*ask)
    assert before["confidence"] == confidence("number", 1.0, before["cast"])
    questions = tmp_path / "q.jsonl"
    lines = [
        {"prompt": f"How many, {i}?", "answer": 42 if i % 3 == 0 else 7} for i in range(OWN_NEEDED)
    ]
    questions.write_text("\n".join(json.dumps(line) for line in lines))
    for _ in range(2):  # the second time nothing is new
        assert node.run("eval", str(questions), "-n", "3")[0] == 0
    (after,) = node.json(*ask)
    assert after["answer"] == before["answer"] == "42"
    assert abs(after["confidence"] - 1 / 3) < 0.2 < before["confidence"] - after["confidence"]
    (number,) = [r for r in node.json("models", "info")[0]["confidence"] if r["own"]]
    assert (number["answer_type"], number["graded"]) == ("number", OWN_NEEDED)
    assert f"number\t{OWN_NEEDED} questions of yours\t" in node.run("models", "info")[1]
    assert node.run("down")[0] == 0
    assert node.run(*up)[0] == 0
    assert node.json(*ask)[0]["confidence"] == after["confidence"]


def test_what_is_recorded_is_read_back(tmp_path):
    case = Case("a", (Sample("m", "(A)", 3, 0.5, "length"),), "choice", ("a", "b"), "Which?", 1.5)
    file = tmp_path / "f"
    file.write_bytes(cases.line_of("q", case))
    assert cases.recorded(str(file)) == [case]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "holds no question"),
        ("{", "line 1 of"),
        ('{"prompt": "x"}', "answer"),
        ('{"prompt": "  ", "answer": "1"}', "the question is empty"),
        ('{"prompt": "x", "answer": [1]}', "answer"),
        ('{"prompt": "x", "answer": 1, "answer_type": "poem"}', "'poem'"),
        ('{"prompt": "x", "answer": 1, "id": 1}\n{"prompt": "y", "answer": 1, "id": 1}', "id 1"),
        ("[" * 100_000, "line 1 of"),
        ('{"prompt": "x", "answer": " "}', "an empty answer"),
        ('{"prompt": "x", "answer": "c", "choices": ["a", "b"]}', "'c' is none of its choices"),
        ('{"prompt": "x", "answer": "many", "answer_type": "number"}', "'many' is no number"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(line, why, tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text(line)
    with pytest.raises(Failure) as told:
        cases.asked(str(file))
    assert why in f"{told.value.seen} {told.value.because}"
    assert told.value.code == 2


@pytest.mark.parametrize(
    ("vote", "why"),
    [
        ('"finish": "length_limit"', "the finish 'length_limit'"),
        ('"tokens": -4', "less than nothing"),
    ],
)
def test_a_mistake_in_a_recorded_vote_is_told_with_its_line(vote, why, tmp_path):
    file = tmp_path / "v.jsonl"
    file.write_text(f'{{"answer": "3", "votes": [{{"model": "m", "text": "3", {vote}}}]}}\n')
    with pytest.raises(Failure) as told:
        cases.recorded(str(file))
    assert (why in told.value.seen, told.value.code) == (True, 2)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ([], "give a file of questions, or --recorded FILE"),
        (["q.jsonl", "--recorded", "v.jsonl"], "give a file of questions, or --recorded FILE"),
        (["--recorded", "v.jsonl", "--record", "w.jsonl"], "--record with --recorded"),
        (["--recorded", "nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["nowhere.jsonl"], "cannot read nowhere.jsonl"),
    ],
)
def test_misuse_of_eval_is_told(shell, args, why):
    code, _, err = shell.run("eval", *args)
    assert (code, why in err) == (2, True)
