"""`--answer code`: programs of a real node, compared by what they do. Needs the sandbox's Linux."""

from protocol import messages as m
from protocol.ids import JobId, Seat, WorkerId
from swarmctl.behaving import Behaving, compare
from tests.swarmctl.shell import eventually

RIGHT = "```python\ndef double(x):\n    return x + x\n```"
TWIN = "```python\ndef double(n):\n    return 2 * n\n```"
WRONG = "```python\ndef double(x):\n    return x ** 2\n```"
STUB = "```python\ndef double(x):\n    pass\n```"
LOOPS = "```python\ndef double(x):\n    while True: pass\n```"

PROMPT = "Write a function double(x).\ndouble(2)\ndouble(3)\n"


def told(texts: list[str], out: int = 0) -> list[m.Progress]:
    return [
        m.Progress(
            JobId("j"),
            m.VoteRecord(
                Seat(i),
                i,
                "here",
                WorkerId("w"),
                "e",
                "m",
                "d",
                text,
                "stop",
                1,
                1,
                1.0,
                answer="x",
            ),
            cast=i + 1,
            asked=len(texts),
            answer_type="code",
            out=out or len(texts) - 1 - i,
        )
        for i, text in enumerate(texts)
    ]


def test_programs_that_do_the_same_are_one_choice_however_they_are_written() -> None:
    chosen, sentence = compare(PROMPT, told([WRONG, RIGHT, STUB, TWIN, STUB, STUB]))
    assert chosen == (1, 3)
    assert sentence == "2 of 6 programs did the same on 2 calls of double()"


def test_stubs_win_nothing_however_many_they_are() -> None:
    chosen, sentence = compare(PROMPT, told([STUB, STUB, STUB]))
    assert chosen == ()
    assert sentence.startswith("no program gives anything")


def test_too_small_a_share_is_no_verdict() -> None:
    assert compare(PROMPT, told([WRONG, RIGHT, TWIN]), 0.7)[0] == ()
    assert compare(PROMPT, told([WRONG, RIGHT, TWIN]), 0.6)[0] == (1, 2)


def test_a_program_that_loops_costs_its_second_and_no_more() -> None:
    assert compare(PROMPT, told([LOOPS, RIGHT, TWIN]))[0] == (1, 2)


def test_nothing_is_said_before_every_vote_is_in_and_then_again_when_told_again() -> None:
    checker = Behaving(PROMPT, 0.0)
    first, *rest = told([RIGHT, TWIN, WRONG])
    checker.add(first)
    assert list(checker.poll()) == []
    for progress in rest:
        checker.add(progress)
    tried = eventually(lambda: list(checker.poll()))
    assert [(t.seat, t.passed) for t in tried] == [(0, True), (1, True), (2, False)]
    assert {t.stopped for t in tried} == {"2 of 3 programs did the same on 2 calls of double()"}
    assert list(checker.poll()) == []
    checker.add(first)
    assert [(t.seat, t.passed) for t in checker.poll()] == [(0, True)]


def test_a_real_node_writes_and_the_most_common_behaviour_wins(make_shell) -> None:
    node = make_shell()
    programs = [
        "```def double(x): return x + x```",
        "```def double(n): return n + n```",
        "```def double(x): return x - 1```",
    ]
    model = f"scripted:answers={','.join(programs)}"
    assert node.run("up", "--detach", "--model", model, "--slots", "9")[0] == 0
    code, out, err = node.run("submit", PROMPT, "-n", "9", "--seed", "1", "--answer", "code")
    assert code == 0, err
    assert "did the same on 2 calls of double()" in err
    assert out.strip() in ("def double(x): return x + x", "def double(n): return n + n")
    (by_itself,) = node.json("submit", PROMPT, "-n", "9", "--seed", "1")
    assert (by_itself["answer_type"], by_itself["outcome"]) == ("code", "decided")
    assert by_itself["tried"] == 9
    assert by_itself["stopped"].endswith("of 9 programs did the same on 2 calls of double()")
    code, _, err = node.run("submit", PROMPT, "--answer", "code", "--min-agreement", "1")
    assert (code, "below the asked 1.00" in err) == (7, True)
