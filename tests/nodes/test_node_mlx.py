"""A real node with abacus in MLX: the same seeds give the same texts, alone or together."""

import pytest

from protocol import messages as m
from tests.nodes.node import running
from worker.engines import ABACUS_FOLDER

QUESTION = (
    "Tom has 12 apples. He buys 3 boxes of 6 apples and gives away 7. "
    "How many apples does Tom have?"
)


def _texts(verdict: m.Verdict) -> dict[int, str]:
    return {vote.seed: vote.text for vote in verdict.votes}


@pytest.mark.parametrize("flags", [("--engine", "mlx"), ("--model", str(ABACUS_FOLDER))])
def test_eight_seeds_give_the_same_texts_again_and_alone(flags: tuple[str, ...]) -> None:
    with running(*flags, "--slots", "8") as node:
        first = node.ask(QUESTION, votes=8, seed=1, stop="all")
        assert (first.outcome, len(_texts(first))) == ("decided", 8)
        for seed, text in list(_texts(first).items())[:3]:
            assert _texts(node.ask(QUESTION, votes=1, seed=seed)) == {seed: text}
