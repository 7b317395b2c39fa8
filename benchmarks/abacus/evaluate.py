"""Measure a model file with llama.cpp on unseen stories: greedy, one sample, and the majority.

    python -m benchmarks.abacus.evaluate [--file GGUF] [--stories 200] [--votes 8] [--seed 1]

A story counts as right when the number after the last `####` is the answer. The majority is the
answer with most votes, of equals the one that was seen first; a sample without a number abstains.
"""

import argparse
import collections
import itertools
import json
import platform
import random
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks.abacus.vocabulary import chat
from benchmarks.stories import COUNT_MAX, Story, unseen

SHIPPED = Path(__file__).parents[2] / "worker" / "models" / "abacus" / "abacus.gguf"
MAX_TOKENS = 128  # more than twice the longest solution
VOTES_MAX = 64  # accuracy has long stopped rising
THREADS_MAX = 64  # more only slow so small a model


class Sampling(msgspec.Struct, frozen=True):
    """How one token is drawn: llama.cpp's usual chain, or temperature alone."""

    temperature: float = 0.8
    top_k: int = 40  # 0: off
    top_p: float = 0.95  # 1: off
    min_p: float = 0.05  # 0: off


class Accuracy(msgspec.Struct, frozen=True):
    """Shares of right answers, in percent."""

    greedy: float
    one_sample: float  # over all votes of all stories
    majority: float
    abstained: float  # share of the samples that gave no number


def number_in(text: str) -> str | None:
    """Read the number after the last `####`."""
    found = re.findall(r"####\s*(-?\d+)", text)
    return found[-1] if found else None


def majority(answers: Sequence[str | None]) -> str | None:
    """Return the commonest answer, of equals the one seen first; None when all abstained."""
    counts = collections.Counter(a for a in answers if a is not None)
    return counts.most_common(1)[0][0] if counts else None


class Answerer:
    """One loaded model file, asked one question at a time."""

    def __init__(self, file: Path, threads: int) -> None:
        import llama_cpp

        self._model = llama_cpp.Llama(
            str(file), n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def tokens(self, prompt: str) -> list[int]:
        """Cut a rendered prompt into tokens, chat markers included."""
        return list(self._model.tokenize(prompt.encode(), add_bos=False, special=True))

    def ask(self, prompt: str, seed: int, sampling: Sampling) -> str:
        """Answer a rendered prompt; the same seed gives the same text."""
        reply = self._model.create_completion(
            self.tokens(prompt),
            max_tokens=MAX_TOKENS,
            seed=seed,
            **msgspec.structs.asdict(sampling),
        )
        return str(reply["choices"][0]["text"])

    def close(self) -> None:
        """Free the model."""
        self._model.close()


def measure(
    answerer: Answerer, stories: Sequence[Story], votes: int, sampling: Sampling, system: str
) -> Accuracy:
    """Ask every story once greedily and `votes` times with the seeds 1 to `votes`."""
    greedy = single = won = abstained = 0
    for done, story in enumerate(stories):
        prompt, gold = chat(story.question, system), str(story.answer)
        greedy += number_in(answerer.ask(prompt, 0, Sampling(temperature=0.0))) == gold
        answers = [number_in(answerer.ask(prompt, s, sampling)) for s in range(1, votes + 1)]
        single += answers.count(gold)
        abstained += answers.count(None)
        won += majority(answers) == gold
        if sys.stderr.isatty():
            print(f"story {done + 1}/{len(stories)}", end="\r", file=sys.stderr)
    asked = len(stories)
    return Accuracy(
        greedy=100 * greedy / asked,
        one_sample=100 * single / (asked * votes),
        majority=100 * won / asked,
        abstained=100 * abstained / (asked * votes),
    )


def main() -> None:
    """Print the accuracy as a table, or as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abacus.evaluate")
    parser.add_argument("--file", type=Path, default=SHIPPED)
    parser.add_argument("--stories", type=int, default=200, help=f"unseen ones, 1 to {COUNT_MAX}")
    parser.add_argument("--votes", type=int, default=8, help=f"per story, 1 to {VOTES_MAX}")
    parser.add_argument("--seed", type=int, default=1, help="of the stories")
    parser.add_argument("--system", default="", help="a system line above every question")
    parser.add_argument(
        "--plain", action="store_true", help="temperature alone: no top-k, -p, min-p"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name, most in (("stories", COUNT_MAX), ("votes", VOTES_MAX), ("threads", THREADS_MAX)):
        if not 1 <= getattr(options, name) <= most:
            parser.error(f"--{name} {getattr(options, name)} is outside 1 to {most}")
    sampling = Sampling(top_k=0, top_p=1.0, min_p=0.0) if options.plain else Sampling()
    stories = list(itertools.islice(unseen(random.Random(options.seed)), options.stories))
    answerer = Answerer(options.file, options.threads)
    accuracy = measure(answerer, stories, options.votes, sampling, options.system)
    answerer.close()
    settings = {
        "stories": options.stories,
        "votes": options.votes,
        "seed": options.seed,
        **msgspec.structs.asdict(sampling),
        "machine": f"{platform.system()} {platform.machine()}",
        "llama_cpp_python": version("llama-cpp-python"),
    }
    figures = {name: round(share, 1) for name, share in msgspec.structs.asdict(accuracy).items()}
    if options.json:
        print(json.dumps({"accuracy_percent": figures, "settings": settings}))
        return
    for name, share in figures.items():
        print(f"{name:12}{share:6.1f} %")
    print(", ".join(f"{name} {value}" for name, value in settings.items()))


if __name__ == "__main__":
    main()
