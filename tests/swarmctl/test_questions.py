"""Files of questions, and text that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.limits import PROMPT_BYTES_MAX
from swarmctl import questions
from swarmctl.exits import Exit, Failure
from swarmctl.questions import Question, decode, parse


def test_each_line_is_a_question_and_other_keys_are_ignored():
    raw = b'{"prompt": "1+1?", "answer": "2"}\n\n{"id": "b", "prompt": "2+2?", "x": [1]}\n'
    assert parse(raw, "q") == [Question(1, "1+1?"), Question("b", "2+2?")]


def test_the_last_line_needs_no_newline():
    assert parse(b'{"prompt": "x"}', "q") == [Question(1, "x")]


WRONG = [
    (b'{"prompt": "x"}\n{"question": "y"}', "line 2 of q is no question", "prompt"),
    (b'{"prompt": 3}', "line 1 of q is no question", "str"),
    (b'\n{"prompt"', "line 2 of q is no question", "truncated"),
    (b'{"prompt": " "}', "the question is empty", "line 1 of q"),
    (b'{"prompt": "\xff"}', "line 1 of q is no question", ""),
    (b'{"prompt":"a","id":1}\n{"prompt":"b","id":1}', "line 2 of q has the id 1", "line 1"),
    (b"\n\n", "q holds no question", ""),
    (b"\x89PNG\r\n\x1a\n", "line 1 of q is no question", ""),
    (b"[" * 100_000, "line 1 of q is no question", ""),
]


@pytest.mark.parametrize(("raw", "seen", "because"), WRONG)
def test_a_wrong_line_is_named(raw, seen, because):
    with pytest.raises(Failure) as caught:
        parse(raw, "q")
    assert seen in caught.value.seen
    assert because in caught.value.because
    assert caught.value.code == Exit.USAGE


@given(st.binary(max_size=60))
def test_any_bytes_are_questions_or_one_clear_error(raw):
    refused = None
    try:
        assert all(question.prompt.strip() for question in parse(raw, "q"))
    except Failure as error:
        refused = error
    assert refused is None or (refused.seen and refused.code == Exit.USAGE)


@pytest.mark.parametrize(
    ("raw", "because"),
    [(b"\x89PNG", "byte 0x89 at position 0"), (b"a\0b", "zero byte at character 1")],
)
def test_binary_is_told_with_its_place(raw, because):
    with pytest.raises(Failure, match="is no text") as caught:
        decode(raw, "standard input")
    assert because in caught.value.because


def test_text_that_our_own_bound_cut_in_mid_character_is_too_large_not_binary():
    raw = (b"a" + "é".encode() * PROMPT_BYTES_MAX)[: PROMPT_BYTES_MAX + 1]
    raw = raw if raw[-1] == 0xC3 else raw[1:] + b"\xc3"
    with pytest.raises(Failure, match="over"):
        decode(raw, "standard input")


def test_an_argument_that_is_no_text_is_refused():
    with pytest.raises(Failure, match="is no text"):
        questions.prompt("caf\udce9")  # how Python holds a byte that is not UTF-8


def test_a_mark_of_byte_order_before_the_first_question_is_no_part_of_it(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"prompt": "What is 6 times 7?"}\r\n')
    (question,) = questions.from_file(str(file))
    assert question.prompt == "What is 6 times 7?"


def test_a_question_that_is_too_long_is_told_with_its_line():
    raw = b'{"prompt": "short"}\n{"prompt": "%s"}\n' % (b"x" * (PROMPT_BYTES_MAX + 1))
    with pytest.raises(Failure) as told:
        parse(raw, "q.jsonl")
    assert told.value.because == f"line 2 of q.jsonl holds at least {PROMPT_BYTES_MAX + 1}"
