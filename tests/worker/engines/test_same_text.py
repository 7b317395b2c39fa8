"""The same seed and prompt give the same text: alone, in a batch, whoever runs or is cancelled.

Random weights make a hard test: their logits lie close together, so the smallest difference in
rounding soon gives another token.
"""

import random

import pytest

from worker.engine import Engine, Request
from worker.engines.llamacpp.sampling import LEADING_VOCABULARY

each_engine = pytest.mark.parametrize("engine_name", ["llamacpp", "mlx"], indirect=True)

KINDS = ["F32", "F16", "BF16", "Q8_0", "Q4_0"]
CASES = [
    *(("llamacpp", kind, slots, 24) for kind in KINDS for slots in (3, 8)),
    *(
        ("mlx", kind, 4, 6) for kind in ("F32", "BF16", "Q8_0", "Q4_0")
    ),  # fewer: MLX has one slow thread on a CPU
]
WORDS = ["a", "house", "of", "models", "that", "count", "votes", "17", "400", "apples", "boxes"]


def _requests(dice: random.Random, count: int, tokens_max: int = 40) -> list[Request]:
    """Prompts of very different lengths, some alike at the beginning, some the same."""
    prompts = [" ".join(dice.choices(WORDS, k=dice.randint(1, 90))) for _ in range(5)]
    prompts.append(prompts[0] + " and more")
    return [
        Request(
            dice.choice(prompts),
            seed=dice.randrange(2**31),
            system=dice.choice(["", "be brief"]),
            temperature=dice.choice([0.0, 0.8, 1.5]),
            max_tokens=dice.randint(1, tokens_max),
        )
        for _ in range(count)
    ]


def _in_disorder(engine: Engine, requests: list[Request], dice: random.Random) -> dict[int, str]:
    """Texts by number: admitted in any order at any moment, one in a hundred steps cancels one."""
    todo = list(enumerate(requests))
    dice.shuffle(todo)
    held: dict[int, int] = {}
    texts: dict[int, str] = {}
    while todo or held:
        while todo and len(held) < engine.facts.slots and dice.random() < 0.7:
            at, request = todo.pop()
            held[engine.admit(request)] = at
        for done in engine.step().finished:
            texts[held.pop(done.slot)] = done.text
        if held and dice.random() < 0.01:
            slot = dice.choice(sorted(held))
            engine.cancel(slot)
            del held[slot]
    return texts


@pytest.mark.parametrize(("engine_name", "kind", "slots", "count"), CASES, indirect=["engine_name"])
def test_texts_in_a_batch_equal_those_alone(opened, run, model_files, kind, slots, count) -> None:
    requests = _requests(random.Random(kind), count)
    options = {"batch_tokens": 32}
    alone = run(opened(model_files(kind), 1, **options)).all(requests)
    together = opened(model_files(kind), slots, **options)
    for order in range(2):
        texts = _in_disorder(together, requests, random.Random(order))
        assert texts
        assert {at: alone[at].text for at in texts} == texts


def test_texts_of_a_large_vocabulary_are_equal_too(opened, run, model_files) -> None:
    """There the leading tokens are looked for first, over all rows together."""
    requests = _requests(random.Random(3), 16)
    path = model_files("Q8_0", vocabulary=LEADING_VOCABULARY + 256)
    alone = run(opened(path, 1)).all(requests)
    assert len({one.text for one in alone}) > 8
    texts = _in_disorder(opened(path, 8), requests, random.Random(4))
    assert {at: alone[at].text for at in texts} == texts


@each_engine
def test_eight_votes_of_abacus_equal_the_eight_alone(opened, run, question) -> None:
    seats = [Request(question, seed=seed) for seed in range(8)]
    one = opened(slots=1)
    alone = [run(one).all([seat])[0] for seat in seats]
    together = run(opened()).all(seats)
    assert [c.text for c in together] == [c.text for c in alone]


@each_engine
def test_cancelling_one_in_mid_batch_leaves_the_others_texts_unchanged(
    opened, run, question
) -> None:
    seats = [Request(question, seed=seed) for seed in range(8)]
    engine = opened()
    expected = {at: c.text for at, c in enumerate(run(engine).all(seats))}
    slots = {engine.admit(seat): at for at, seat in enumerate(seats)}
    for _ in range(5):
        engine.step()
    for gone in (0, 3):
        engine.cancel(next(slot for slot, at in slots.items() if at == gone))
    texts = {}
    while len(texts) < 6:
        texts |= {slots[c.slot]: c.text for c in engine.step().finished}
    assert texts == {at: text for at, text in expected.items() if at not in (0, 3)}


@each_engine
def test_a_text_does_not_depend_on_which_prompt_was_computed_before(
    opened, run, model_files
) -> None:
    """A shared beginning is taken over from another prompt: its bits are those of one's own."""
    base = " ".join(WORDS * 3)
    wanted = Request(base + " apples", seed=3, max_tokens=30, temperature=1.5)
    fresh = run(opened(model_files("F16"), 2, batch_tokens=16)).all([wanted])[0]
    used = opened(model_files("F16"), 2, batch_tokens=16)
    driven = run(used)
    driven.all([Request(base + " boxes and more", seed=1, max_tokens=5)])
    driven.prefilled = 0
    assert driven.all([wanted])[0].text == fresh.text
    assert driven.prefilled < fresh.prompt_tokens
