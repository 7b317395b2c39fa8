"""A real node with abacus in MLX: the same seeds give the same texts, alone or together."""

from protocol import messages as m
from tests.nodes.node import running
from worker.engines import ABACUS_FOLDER

QUESTION = (
    "Tom has 12 apples. He buys 3 boxes of 6 apples and gives away 7. "
    "How many apples does Tom have?"
)


def _texts(verdict: m.Verdict) -> dict[int, str]:
    return {vote.seed: vote.text for vote in verdict.votes}


def test_eight_seeds_of_a_folder_give_the_same_texts_together_and_alone() -> None:
    with running("--model", str(ABACUS_FOLDER), "--slots", "8") as node:
        first = node.ask(QUESTION, votes=8, seed=1, stop="all")
        assert (first.outcome, len(_texts(first))) == ("decided", 8)
        for seed, text in list(_texts(first).items())[:3]:
            assert _texts(node.ask(QUESTION, votes=1, seed=seed)) == {seed: text}
