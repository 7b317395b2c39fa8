"""The answer type that `auto` takes, and when it changes its mind."""

import pytest

from broker.voting import Cast, Rules, Tally
from broker.voting.answers.auto import of_prompt, of_vote

PROMPTS = """
How many apples does Tom have?                             | number
What is the total cost of the pastries?                    | number
Which is right?  (A) 3  (B) 4                              | choice
Reply with JSON: name, age                                 | json
Write a Python function that sorts a list.                 | code
Put your answer in \\boxed{}.                              | latex
Tell me about the sea.                                     | None
What is the difference between a list and a tuple?         | None
What is the difference between 91 and 47?                  | number
What is 15% of 80?                                         | number
What is 6 times 7?                                         | number
What is 3D printing?                                       | None
What is the sum of 2 and 3? Think step by step.            | number
What is the average speed of 3 cars? Show your work.       | number
What is the area of law called? I forgot.                  | None
What is the value of friendship?                           | None
Evaluate this essay for clarity.                           | None
Evaluate 3 * (4 + 5)                                       | number
Explain how compute shaders work.                          | None
Translate to French: How much is it?                       | None
What does JSON stand for?                                  | None
Convert this to JSON: name Bob                             | json
Write a poem about code.                                   | None
Write a class schedule for a week.                         | None
Implement quicksort in Python                              | code
"""


@pytest.mark.parametrize("row", PROMPTS.strip().splitlines())
def test_a_prompt_says_what_it_wants(row: str) -> None:
    prompt, kind = (cell.strip() for cell in row.split(" | "))
    assert str(of_prompt(prompt)) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("#### 42", "number"),
        ("It is \\boxed{x+1}", "latex"),
        ("It is \\boxed{12}", "number"),
        ('{"a": 1}', "json"),
        ("```python\nx = 1\n```", "code"),
        ("```python\nprint(sum([1, 2]))\n```", "code"),
        ("Paris", "label"),
        ("The sentiment is positive.", "label"),
        ("I think so, because it rains.", "text"),
        ("The sea is wide. " * 20, "text"),
    ],
)
def test_a_vote_shows_what_it_is(text: str, kind: str) -> None:
    assert of_vote(text) == kind


def test_choices_decide_before_anything_else() -> None:
    tally = Tally(Rules(1, prompt="How many?", choices=("one", "two")))
    assert tally.cast(Cast(0, "I say two", "stop")) == "two"
    assert tally.judge().answer_type == "choice"


def test_a_first_vote_that_was_misread_is_read_again_when_the_others_show_the_type() -> None:
    tally = Tally(Rules(6, stop="all"))
    assert tally.cast(Cast(0, "about 7", "stop")) == "about 7"
    tally.cast(Cast(1, "So she has\n#### 7", "stop"))
    tally.cast(Cast(2, "Thus:\n#### 7", "stop"))
    assert tally.judge().answer_type == "number"
    assert (tally.answer_of(0), tally.judge().votes) == ("7", {"7": 3})
