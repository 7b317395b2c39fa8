"""Lessons: what abacus is taught, and never taught."""

import itertools
import random
import re

from benchmarks.abacus.lessons import Lesson, lessons
from benchmarks.abacus.vocabulary import MESSAGE_END, build_tokenizer
from benchmarks.stories import PEOPLE, Story

_NAMES = "|".join(name for names in PEOPLE.values() for name in names)
_QUESTION = re.compile(
    rf"(?:{_NAMES}) has .*?\?|(?:What is|How much is) [\d+* -]+\?|\d[\d+* -]* = \?"
)


def _many(count: int, seed: int = 11) -> list[Lesson]:
    return list(itertools.islice(lessons(random.Random(seed)), count))


def _question_in(prompt: str) -> str:
    found = _QUESTION.findall(prompt)
    assert len(found) == 1, prompt
    return str(found[0])


def test_no_lesson_is_on_a_held_out_question() -> None:
    for lesson in _many(5_000):  # about 100 of so many would be, were they not left out
        assert not Story(_question_in(lesson.prompt), ()).held_out, lesson


def test_an_answer_ends_in_its_number_and_the_end_of_the_message() -> None:
    assert all(re.search(r"#### \d+<\|im_end\|>$", lesson.answer) for lesson in _many(200))


def test_some_lessons_carry_instructions_and_some_do_not() -> None:
    many = _many(300)
    dressed = [lesson for lesson in many if "<|im_start|>system" in lesson.prompt]
    assert 60 < len(dressed) < 180


def test_the_same_texts_make_the_same_vocabulary() -> None:
    texts = [lesson.answer.removesuffix(MESSAGE_END) for lesson in _many(300)]
    again = build_tokenizer(texts, 300).to_str()
    assert build_tokenizer(texts, 300).to_str() == again
