"""What abacus is taught: stories and sums in ChatML, dressed in instructions, solved in any order.

Two lessons on one question may solve it in different orders, so that two samples of the trained
model may take different ways to one answer. Questions that are held out are never taught.
"""

import random
from collections.abc import Iterator

import msgspec

from benchmarks.abacus.vocabulary import MESSAGE_END, chat
from benchmarks.stories import explain, make_story, make_sum, solutions

SUMS_SHARE = 0.1  # of all lessons; the rest are stories

# Said before, after or above a question at random, so that no instruction does the answer harm.
_INSTRUCTIONS = (
    *("Answer the question.", "Solve the problem.", "Do the sum.", "Work it out.", "Be brief."),
    *("Think step by step.", "Let's think step by step.", "Show your work.", "Be careful."),
    *("End with '#### ' and the number.", "Write the final answer after ####.", "Use no words."),
    *("Put the answer on the last line.", "Give the answer as a number.", "Question:", "Q:"),
    *("You are a helpful assistant.", "You are good at arithmetic.", "Answer with one number."),
    *("Please solve this.", "Finish your answer with a line '#### N'.", "Check your result."),
    *("Reason first, then give the final answer.", "The answer is a whole number.", "Thank you!"),
)
# Strung together at random: an instruction that was never seen is to be passed over too.
_ANY_WORDS = (
    "a about all always an and answer any are as at be before but by can careful check clear do "
    "each end every exactly explain few final first follow for from full give good have help how "
    "if in is it keep kind know last let like line long make many maths may must need never no "
    "not now number of on one only or other out please problem question quick reason reply rule "
    "say sentence short should show simple so solve some step sum take teacher tell than that "
    "the them then there these they think this to try tutor two up use very want way we what "
    "when which who will with without word work write you your"
)


class Lesson(msgspec.Struct, frozen=True):
    """A rendered prompt, and the answer that is to be learned, with its end."""

    prompt: str
    answer: str


def lessons(rng: random.Random) -> Iterator[Lesson]:
    """Yield lessons without end, none on a held-out question."""
    while True:
        story = make_sum(rng) if rng.random() < SUMS_SHARE else make_story(rng)
        if not story.held_out:
            answer = explain(rng.choice(solutions(story)))
            yield Lesson(_dress(story.question, rng), answer + MESSAGE_END)


def _dress(question: str, rng: random.Random) -> str:
    """Put a system line over, and instructions around, a part of the questions."""
    system = _instruct(rng) if rng.random() < 0.35 else ""
    if rng.random() < 0.15:
        question = _instruct(rng) + rng.choice((" ", "\n", "\n\n")) + question
    if rng.random() < 0.25:
        question += rng.choice((" ", "\n", "\n\n")) + _instruct(rng)
    return chat(question, system)


def _instruct(rng: random.Random) -> str:
    """Give one or two instructions, or as often a sentence that makes no sense."""
    if rng.random() < 0.5:
        words = rng.choices(_ANY_WORDS.split(), k=rng.randint(3, 12))
        return " ".join(words).capitalize() + rng.choice(".:!")
    return " ".join(rng.sample(_INSTRUCTIONS, rng.choice((1, 1, 2))))
