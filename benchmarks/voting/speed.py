"""What counting costs: one prose vote, and each arriving vote of a large job."""

import random
import time
from collections.abc import Callable, Sequence

from broker.voting import Cast, Outcome, Rules, Tally

SEATS = 64
TEXT_CHARS = 2000
WORDS = 3000
"""Words that the made-up texts are drawn from, about as many as people write with."""

REPEATS = 7


def figures(seed: int) -> dict[str, float]:
    """vote_64_ms: prose, all votes and the verdict. count_us: CPU per vote with one number each."""
    rng = random.Random(seed)
    texts = [_text(rng) for _ in range(SEATS)]
    numbered = [f"{text}\n#### {rng.randint(1, 9)}" for text in texts]
    return {
        "vote_64_ms": 1e3 * _median_cpu_s(lambda: count(texts, "text")),
        "count_us": 1e6 * _median_cpu_s(lambda: count(numbered, "number")) / SEATS,
    }


def count(texts: Sequence[str], kind: str) -> None:
    """Cast all and judge after each, as the broker does."""
    tally = Tally(Rules(seats=len(texts), answer=kind, stop="all", tie_seats=0))
    for seat, text in enumerate(texts):
        tally.cast(Cast(seat, text, "stop"))
        judged = tally.judge()
    assert judged.outcome is Outcome.DECIDED


def _text(rng: random.Random) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < TEXT_CHARS:
        words.append(f"word{int(WORDS * rng.random() ** 3)}")
    return " ".join(words)[:TEXT_CHARS]


def _median_cpu_s(work: Callable[[], None]) -> float:
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return sorted(taken)[REPEATS // 2]
