"""What is read out of a text, as tables: type, text, canonical answer ("-": it abstains)."""

import pytest

from broker.voting import extract

TABLE = r"""
number   | so he has 1,234.50 dollars                     | 1234.5
number   | #### 42                                        | 42
number   | A: 90,000                                      | 90000
number   | the answer is $\boxed{\frac{3}{4}}$            | 0.75
number   | \boxed{204 + 160 + 330 = 694}                  | 694
number   | \boxed{1}, no, \boxed{2}                       | 2
number   | \boxed{12                                      | 12
number   | It costs $7.50.                                | 7.5
number   | -3                                             | -3
number   | 10 - 3                                         | 3
number   | 5/8 of a cup                                   | 0.625
number   | 1/3                                            | 1/3
number   | 2/6                                            | 1/3
number   | 1e3                                            | 1000
number   | 1.5 × 10^3                                     | 1500
number   | 007                                            | 7
number   | 50%                                            | 50
number   | 3/0                                            | -
number   | the answer is 12. I checked 3 times            | 12
number   | no number here                                 | -
number   | <think>it is 5</think> It is 6                 | 6
number   | <think>it is 5                                 | -
number   | it is 5</think> It is 6                        | 6
choice   | The answer is (B).                             | B
choice   | b                                              | B
choice   | I think A is wrong, so C                       | C
choice   | I am sure                                      | -
choice   | \boxed{D}                                      | D
choice   | **Answer: A**                                  | A
json     | Sure: {"b": 1.0, "a": [1, 2]} there            | {"a":[1,2],"b":1}
json     | {"a": 1} and then {"a": 2}                     | {"a":2}
json     | {"a": {"b": "}"}}                              | {"a":{"b":"}"}}
json     | {"a": NaN}                                     | -
json     | null                                           | null
json     | {"a": 1e999}                                   | -
literal  | [1, 2,3]                                       | [1, 2, 3]
literal  | assert f(1) == 'x'                             | 'x'
literal  | f(2)                                           | -
literal  | None                                           | None
choice   | B is a better answer                           | B
choice   | Answer A is a good one                         | A
label    | The answer is Paris.                           | paris
label    | **Paris**                                      | paris
label    | Sentiment: positive                            | positive
label    | The sentiment is **positive**.                 | positive
label    | **Category:** "Sports"                         | sports
label    | Team A: 3                                      | team a: 3
label    | Type:                                          | type
label    | The type is A                                  | a
label    | The Netherlands                                | netherlands
text     | two   words                                    | two words
latex    | $\boxed{x = \dfrac{1}{2}}$                     | 0.5
latex    | \boxed{\left( 3, \frac{\pi}{2} \right)}        | (3,\frac{\pi}{2})
latex    | \boxed{\frac34}                                | 0.75
latex    | \boxed{10\%}                                   | 10
latex    | \boxed{(1/5,-\tfrac{18}{5})}                     | (\frac{1}{5},-\frac{18}{5})
latex    | \boxed{x^{2}-\pi/6}                            | x^2-\frac{\pi}{6}
latex    | \boxed{\text{(B)}}                             | b
latex    | \boxed{\text{East}}                            | east
latex    | \boxed{5\sqrt2}                                | 5\sqrt{2}
tool     | {"name": "f", "arguments": {"b": 1, "a": 2}}   | {"arguments":{"a":2,"b":1},"name":"f"}
tool     | <tool_call>{"name": "f"}</tool_call>           | {"arguments":{},"name":"f"}
tool     | {"function": {"name": "f", "arguments": "{}"}} | {"arguments":{},"name":"f"}
tool     | {"arguments": {}}                              | -
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_an_answer_is_read_as_the_table_says(row: str) -> None:
    kind, text, answer = (cell.strip() for cell in row.split(" | "))
    assert (extract(text, kind) or "-") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I think it is Paris, not London. So: Paris", "Paris"),
        ("(B)", "London"),
        ("The answer is new york.", "New York"),
        ("York", None),
        ("Parisian life", None),
    ],
)
def test_a_choice_is_given_by_its_text_or_its_letter(text: str, answer: str | None) -> None:
    assert extract(text, "choice", ("Paris", "London", "New York")) == answer


def test_the_longer_of_two_choices_at_one_place_is_meant() -> None:
    assert extract("so: not yes", "choice", ("yes", "not yes")) == "not yes"


def test_of_several_code_blocks_the_last_is_the_answer() -> None:
    text = "First:\n```python\nx = 1\n```\nBetter:\n```python\nx = 2   \n\n```\nDone."
    assert extract(text, "code") == "x = 2"


def test_numbers_of_a_thousand_digits_are_compared_digit_by_digit() -> None:
    digits = "7" * 1000
    assert extract(f"#### 0{digits}.0", "number") == digits


def test_a_lone_surrogate_is_replaced_so_that_every_answer_has_bytes() -> None:
    answer = extract("caf\ud800", "text")
    assert answer is not None
    assert answer.encode() == b"caf?"
