"""The most central of several texts. It is no better a text than the rest, only the least odd."""

import math
import operator
import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile(r"\w+")

CHARS_MAX = 1 << 17
"""Characters that are compared, of all texts together, the first of each: of 64 texts 2,048, of 8
four times what a long answer has. It is what the broker's loop can spare, some 20 ms; 64 texts as
large as votes may be took 2.7 s."""


def central(texts: Sequence[str]) -> tuple[int, float]:
    """Index of the text nearest to all others, and its mean similarity to them, 0 to 1.

    Of equals the first. With cosine as the gain it is the choice of least Bayes risk (Kumar and
    Byrne, NAACL 2004, section 2). Raises ValueError without texts.
    """
    if not texts:
        raise ValueError("no texts to compare")
    return ranked(texts)[0]


def ranked(texts: Sequence[str]) -> list[tuple[int, float]]:
    """As `central`, of every text, the nearest to the others first.

    Cosine of tf-idf vectors over words (smooth idf, as scikit-learn's TfidfVectorizer has it).
    Linear in the length of all texts together: the similarities of one text to all others add up
    to its product with the sum of all vectors, in which words of one text alone do not matter.
    """
    vectors = unit_vectors(texts)
    total: dict[str, float] = {}
    for vector in vectors:
        for word, value in vector.items():
            total[word] = total.get(word, 0.0) + value
    nearness = [
        sum(value * (total[word] - value) for word, value in vector.items()) for vector in vectors
    ]
    order = sorted(range(len(texts)), key=lambda i: (-round(nearness[i], 9), i))
    others = len(texts) - 1
    return [(i, nearness[i] / others if others else 1.0) for i in order]


def unit_vectors(texts: Sequence[str]) -> list[dict[str, float]]:
    """tf-idf vectors of length 1; of length 0 for a text without words."""
    most = CHARS_MAX // max(1, len(texts))
    counts = [Counter(WORD.findall(text[:most].lower())) for text in texts]
    seen = Counter(word for count in counts for word in count)
    idf = {word: math.log((1 + len(texts)) / (1 + df)) + 1 for word, df in seen.items()}
    return [_unit({word: tf * idf[word] for word, tf in count.items()}) for count in counts]


def _unit(vector: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(map(operator.mul, vector.values(), vector.values())))
    return {word: value / length for word, value in vector.items()} if length else vector
