"""What is known of models: as text, and from a real node with workers of two models."""

import subprocess
import sys

from protocol import messages as m
from swarmctl import models_text
from tests.swarmctl.shell import eventually

ROWS = [
    m.ModelReport(
        "abacus", "sha256:aa", "llamacpp", 2, 16,
        (m.ReliabilityRow("choice", 30, None, None), m.ReliabilityRow("number", 230, 0.871, 1.4)),
    ),
    m.ModelReport("old", "sha256:bb", "", 0, 0, (m.ReliabilityRow("number", 200, 0.4, 0.0),)),
    m.ModelReport("new", "sha256:cc", "mlx", 1, 8),
]  # fmt: skip


def test_what_is_not_known_is_a_dash_and_a_model_that_left_says_so():
    assert models_text.models(ROWS, None).splitlines() == [
        "MODEL\tANSWERS\tJOBS\tRIGHT\tWEIGHT\tHERE\tDIGEST",
        "abacus\tchoice\t30\t-\t-\t2 workers\tsha256:aa",
        "abacus\tnumber\t230\t87%\t1.40\t2 workers\tsha256:aa",
        "old\tnumber\t200\t40%\t0.00\tgone\tsha256:bb",
        "new\t-\t0\t-\t-\t1 worker\tsha256:cc",
    ]
    assert models_text.models([], 80) == "no model is here: swarmctl up"


def test_what_a_share_is_worth_is_told_with_where_it_is_known_from():
    told = ((8, 8, 0.977), (6, 8, 0.9), (4, 8, None))
    rows = [
        m.ConfidenceRow("label", 0, False, ((8, 8, None), (6, 8, None), (4, 8, None))),
        m.ConfidenceRow("latex", 3, False, told),
        m.ConfidenceRow("literal", 0, False, told),
        m.ConfidenceRow("number", 31, True, told),
    ]
    assert models_text.confidence(rows, None).splitlines() == [
        "ANSWERS\tKNOWN FROM\t8 OF 8\t6 OF 8\t4 OF 8",
        "label\tnothing yet\t-\t-\t-",
        "latex\tvotes on record (3 questions of yours: too few)\t98%\t90%\t-",
        "literal\tvotes on record\t98%\t90%\t-",
        "number\t31 questions of yours\t98%\t90%\t-",
    ]


def test_two_models_that_vote_together_are_compared(make_shell):
    shell = make_shell()
    assert shell.run("up", "--detach", "--model", "scripted:answers=1*3,2", "--slots", "1")[0] == 0
    other = subprocess.Popen(
        [sys.executable, "-m", "worker", "--model", "scripted:answers=2*3,1",
         "--engine", "scripted", "--slots", "1"],
        env=shell.env,
    )  # fmt: skip
    try:
        eventually(lambda: len(shell.json("workers")[0]["workers"]) == 2)
        for _ in range(2):
            ask = ["submit", "Which number?", "-n", "4", "--stop", "all", "--answer", "number"]
            (told,) = shell.json(*ask)
            assert len({vote["digest"] for vote in told["votes"]}) == 2
        (known,) = shell.json("models", "info")
        assert len(known["models"]) == 2
        for row in known["models"]:
            assert row["reliability"] == [
                {"answer_type": "number", "jobs": 2, "reliability": None, "weight": None}
            ]
        name = known["models"][0]["digest"]
        assert [row["digest"] for row in shell.json("models", "info", name)[0]["models"]] == [name]
        code, _, err = shell.run("models", "info", "nobody")
        assert (code, "no model 'nobody'" in err) == (3, True)
    finally:
        other.terminate()
        other.wait(20)
    down = shell.run("down", "--now")
    assert down[0] == 0
    assert shell.run("up", "--detach", "--model", "scripted:answers=1*3,2")[0] == 0
    (again,) = shell.json("models", "info")
    assert {row["digest"] for row in again["models"]} == {r["digest"] for r in known["models"]}
