"""Arithmetic stories with their answers: what abacus learns from, and is asked when it is judged.

    python -m benchmarks.stories --seed S --count N

prints N unseen stories, one JSON object a line: `id`, `prompt`, `answer`, the format that
`swarmctl submit --file` and `eval` read. Unseen means never trained on: a question whose CRC-32
is divisible by `HELD_OUT_EVERY` is kept from training, and only such questions are printed.

A story is a start and one to three changes (gains, losses, products such as "3 boxes of 6"). Every
number in it and on the way to its answer is a whole number from 0 to 99.
"""

import argparse
import itertools
import json
import random
import sys
import zlib
from collections.abc import Iterator, Sequence

import msgspec

NUMBER_MAX = 99  # two digits are enough to be wrong in, and few enough to learn in minutes
HELD_OUT_EVERY = 50  # 2 % are kept from training: plenty to judge with
COUNT_MAX = 100_000  # what one command prints; far below the number of distinct unseen stories


class Term(msgspec.Struct, frozen=True):
    """A number, or a product of two, that the story adds (sign 1) or takes away (sign -1)."""

    sign: int
    factors: tuple[int, ...]

    @property
    def value(self) -> int:
        """The term without its sign."""
        return self.factors[0] if len(self.factors) == 1 else self.factors[0] * self.factors[1]


class Story(msgspec.Struct, frozen=True):
    """A question in words, and the sum behind it in the order in which it is told."""

    question: str
    terms: tuple[Term, ...]

    @property
    def answer(self) -> int:
        """The sum of all terms, 0 to `NUMBER_MAX`."""
        return sum(term.sign * term.value for term in self.terms)

    @property
    def held_out(self) -> bool:
        """Whether training must never see this question."""
        return zlib.crc32(self.question.encode()) % HELD_OUT_EVERY == 0


PEOPLE = {
    "he": ("Tom", "Ben", "Sam", "Max", "Leo", "Omar", "Ravi", "Juan", "Paul", "Finn"),
    "she": ("Mia", "Anna", "Zoe", "Lily", "Nora", "Rosa", "Emma", "Kate", "Yuki", "Ada"),
}
THINGS = (
    *("apples", "pens", "books", "coins", "cards", "eggs", "shells", "stamps", "marbles", "cups"),
    *("pears", "plums", "nuts", "roses", "balls", "stones", "stickers", "oranges", "cookies"),
)
HOLDERS = ("boxes", "bags", "packs", "baskets", "jars", "trays")
ENDINGS = ("", "", " now", " left", " in the end")

# What happens, as a verb and the rest. {n} is the amount, {of} "of apples" or nothing,
# {things} "apples" or "more", {k} how many lots, {holders} boxes, {other} another person.
GAINS = (
    *("buys {n} {things}", "finds {n} {things}", "gets {n} {things} from {other}"),
    *("picks up {n} {things}", "is given {n} {things}", "wins {n} {things}"),
)
LOSSES = (
    *("gives away {n}", "loses {n} {kind}", "sells {n} {kind}", "gives {n} {kind} to {other}"),
    *("drops {n}", "gives {other} {n} {kind}"),
)
GAINS_OF_LOTS = (
    *("buys {k} {holders} of {n} {kind}", "gets {k} {holders} of {n} {kind} from {other}"),
    *("finds {k} {holders} with {n} {kind} each", "is given {k} {holders} of {n}"),
)
LOSSES_OF_LOTS = (
    *("gives {n} {kind} to each of {k} friends", "sells {k} {holders} of {n} {kind}"),
    *("gives away {k} {holders} of {n}", "loses {k} {holders} with {n} {kind} each"),
)


def make_story(rng: random.Random) -> Story:
    """Tell a story of two to four terms."""
    terms = make_terms(rng)
    pronoun = rng.choice(("he", "she"))
    name = rng.choice(PEOPLE[pronoun])
    kind = rng.choice(THINGS)
    words = {"kind": kind, "other": rng.choice([p for p in _everyone() if p != name])}
    start = " ".join((name, "has", _amount(terms[0], kind, rng) + "."))
    happenings = [_happening(term, words, rng) for term in terms[1:]]
    told = _sentences(happenings, name, pronoun.capitalize(), rng)
    asked = f"How many {kind} does {name} have{rng.choice(ENDINGS)}?"
    return Story(" ".join((start, *told, asked)), terms)


def make_sum(rng: random.Random) -> Story:
    """Ask for a bare sum, such as "What is 12 + 3 * 6 - 7?"."""
    terms = make_terms(rng)
    text = " * ".join(map(str, terms[0].factors))
    for term in terms[1:]:
        text += (" + " if term.sign > 0 else " - ") + " * ".join(map(str, term.factors))
    return Story(rng.choice(("What is {}?", "{} = ?", "How much is {}?")).format(text), terms)


def make_terms(rng: random.Random) -> tuple[Term, ...]:
    """Draw two to four terms whose running sum never leaves 0 to `NUMBER_MAX`."""
    count = rng.choices((2, 3, 4), weights=(2, 5, 3))[0]
    terms = [_draw_term(1, 60, rng)]
    total = terms[0].value
    for _ in range(count - 1):
        gain = rng.random() < (0.55 if 5 <= total <= NUMBER_MAX - 5 else float(total < 5))
        room = min(40, NUMBER_MAX - total) if gain else total
        terms.append(_draw_term(1 if gain else -1, room, rng))
        total += terms[-1].sign * terms[-1].value
    return tuple(terms)


def solutions(story: Story) -> list[tuple[Term, ...]]:
    """List every order of the terms whose running sum stays within 0 to `NUMBER_MAX`.

    The order of the telling is one of them, so the list is never empty.
    """
    return [order for order in itertools.permutations(story.terms) if _stays_in_range(order)]


def explain(order: Sequence[Term]) -> str:
    """Write the way to the answer term by term, a line each, ending in the line `#### 42`."""
    lines = []
    total = 0
    for place, term in enumerate(order):
        if len(term.factors) == 2:
            lines.append(f"{term.factors[0]} * {term.factors[1]} = {term.value}")
        before, total = total, total + term.sign * term.value
        if place:
            lines.append(f"{before} {'+' if term.sign > 0 else '-'} {term.value} = {total}")
    return "\n".join((*lines, f"#### {total}"))


def unseen(rng: random.Random) -> Iterator[Story]:
    """Yield held-out stories without end, no question twice."""
    asked: set[str] = set()
    while True:
        story = make_story(rng)
        if story.held_out and story.question not in asked:
            asked.add(story.question)
            yield story


def _draw_term(sign: int, room: int, rng: random.Random) -> Term:
    """Draw a term of 2 to `room`; three in ten are products where the room allows one."""
    if room >= 4 and rng.random() < 0.3:
        lots = rng.randint(2, min(9, room // 2))
        return Term(sign, (lots, rng.randint(2, min(12, room // lots))))
    return Term(sign, (rng.randint(2, room),))


def _stays_in_range(order: Sequence[Term]) -> bool:
    sums = itertools.accumulate(term.sign * term.value for term in order)
    return all(0 <= total <= NUMBER_MAX for total in sums)


def _everyone() -> list[str]:
    return [name for names in PEOPLE.values() for name in names]


def _amount(term: Term, kind: str, rng: random.Random) -> str:
    if len(term.factors) == 1:
        return f"{term.value} {kind}"
    return f"{term.factors[0]} {rng.choice(HOLDERS)} of {term.factors[1]} {kind}"


def _happening(term: Term, words: dict[str, str], rng: random.Random) -> str:
    """Say one change as a verb and what follows, such as "gives away 7"."""
    gain, lots = term.sign > 0, len(term.factors) == 2
    if lots:
        phrase = rng.choice(GAINS_OF_LOTS if gain else LOSSES_OF_LOTS)
    else:
        phrase = rng.choice(GAINS if gain else LOSSES)
    things = rng.choice(("more", words["kind"], f"more {words['kind']}"))
    return phrase.format(
        n=term.factors[-1],
        k=term.factors[0],
        holders=rng.choice(HOLDERS),
        things=things,
        **words,
    )


def _sentences(
    happenings: Sequence[str], name: str, pronoun: str, rng: random.Random
) -> Iterator[str]:
    """Make sentences of one or two happenings each, in order."""
    left = list(happenings)
    while left:
        said = left.pop(0)
        if left and rng.random() < 0.45:
            said += rng.choice((" and ", " and then ", ", then ")) + left.pop(0)
        who = rng.choice((pronoun, pronoun, name, f"Then {pronoun.lower()}"))
        yield f"{who} {said}."


def main(arguments: Sequence[str] | None = None) -> None:
    """Print unseen stories, one JSON object a line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stories", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same stories")
    parser.add_argument("--count", type=int, default=200, help=f"0 to {COUNT_MAX}")
    parser.add_argument("--json", action="store_true", help="implied: there is no other form")
    options = parser.parse_args(arguments)
    if not 0 <= options.count <= COUNT_MAX:
        parser.error(f"--count {options.count} is outside 0 to {COUNT_MAX}")
    stories = itertools.islice(unseen(random.Random(options.seed)), options.count)
    for number, story in enumerate(stories):
        line = {"id": f"story-{options.seed}-{number}", "prompt": story.question}
        sys.stdout.write(json.dumps({**line, "answer": str(story.answer)}) + "\n")


if __name__ == "__main__":
    main()
