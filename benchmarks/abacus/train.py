"""Train abacus from a fixed seed and write its GGUF and Hugging Face forms.

    python -m benchmarks.abacus.train --out DIR

One core and a quarter of an hour. `--steps` is the length of the schedule, chosen so that one
sample is right about six times in ten: the vote gains most there (the model card has the table).
The same torch build on the same kind of CPU gives the same weights.
"""

import argparse
import itertools
import math
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from benchmarks.abacus.export_gguf import write_gguf
from benchmarks.abacus.export_hf import write_hf
from benchmarks.abacus.lessons import Lesson, lessons
from benchmarks.abacus.model import Weights, fresh_weights, logits
from benchmarks.abacus.muon import Muon
from benchmarks.abacus.shape import ABACUS
from benchmarks.abacus.vocabulary import END_OF_TEXT_ID, SPECIALS, build_tokenizer

STEPS = 770
STEPS_MAX = 100_000  # about a day; a longer schedule teaches so small a model nothing
BATCH = 64
POOL = 8  # batches cut from one pool of lessons sorted by length, so that little is padding
WARM_UP_STEPS = 100
RATE = 4e-3
VOCABULARY_LESSONS = 4_000
UNTAUGHT = -100  # cross_entropy skips this target: prompts and padding are not learned


def train(steps: int, seed: int, batch: int = BATCH) -> tuple[Weights, Tokenizer]:
    """Teach fresh weights `batch` lessons a step; everything random follows from `seed`."""
    torch.set_num_threads(1)  # one core, and sums in one order: the same weights each time
    rng = random.Random(seed)
    tokenizer = build_tokenizer(_plain_texts(rng), ABACUS.vocab_size)
    weights = fresh_weights(ABACUS, seed)
    for weight in weights.values():
        weight.requires_grad_()
    muon = Muon([w for name, w in weights.items() if _is_inner(name, w)], momentum=0.95)
    adam = torch.optim.AdamW(
        [w for name, w in weights.items() if not _is_inner(name, w)],
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    batches = _batches(tokenizer, rng, batch)
    began, recent = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        tokens, targets = next(batches)
        loss = _loss(weights, tokens, targets)
        loss.backward()
        rate = _rate_at(step, steps)
        muon.step(rate)
        adam.param_groups[0]["lr"] = rate
        adam.step()
        adam.zero_grad()
        recent = loss.item() if step == 1 else 0.95 * recent + 0.05 * loss.item()
        _show_progress(step, steps, recent, time.monotonic() - began)
    return {name: weight.detach() for name, weight in weights.items()}, tokenizer


def _is_inner(name: str, weight: torch.Tensor) -> bool:
    """Tell Muon's matrices from what AdamW steps: the embeddings and the norms."""
    return weight.dim() == 2 and "embed" not in name


def _loss(weights: Weights, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    scores = logits(weights, ABACUS, tokens)
    return functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=UNTAUGHT)


def _plain_texts(rng: random.Random) -> Iterator[str]:
    """Give lessons without their special tokens, to learn merges from."""
    for lesson in itertools.islice(lessons(rng), VOCABULARY_LESSONS):
        text = lesson.prompt + lesson.answer
        for special in SPECIALS:
            text = text.replace(special, "")
        yield text


def _rate_at(step: int, steps: int) -> float:
    """Warm up in a straight line, then fall along a cosine to zero at `steps`."""
    warm = min(1.0, step / WARM_UP_STEPS)
    through = max(0, step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return RATE * warm * 0.5 * (1 + math.cos(math.pi * through))


def _batches(
    tokenizer: Tokenizer, rng: random.Random, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (tokens, targets), each (size, length); only answers are targets."""
    taught = lessons(rng)
    while True:
        pool = [_rows(tokenizer, lesson) for lesson in itertools.islice(taught, size * POOL)]
        pool.sort(key=lambda rows: len(rows[0]))
        batches = [pool[at : at + size] for at in range(0, len(pool), size)]
        rng.shuffle(batches)
        for batch in batches:
            length = max(len(tokens) for tokens, _ in batch)
            yield (
                torch.tensor([t + [END_OF_TEXT_ID] * (length - len(t)) for t, _ in batch]),
                torch.tensor([t + [UNTAUGHT] * (length - len(t)) for _, t in batch]),
            )


def _rows(tokenizer: Tokenizer, lesson: Lesson) -> tuple[list[int], list[int]]:
    """Turn a lesson into tokens and, one place ahead, the targets of its answer."""
    prompt = tokenizer.encode(lesson.prompt).ids
    answer = tokenizer.encode(lesson.answer).ids
    return (prompt + answer)[:-1], [UNTAUGHT] * (len(prompt) - 1) + answer


def _show_progress(step: int, steps: int, loss: float, spent_s: float) -> None:
    """Rewrite one line on a terminal; elsewhere print every fiftieth step."""
    terminal = sys.stderr.isatty()
    if terminal or step % 50 == 0 or step == steps:
        left_s = spent_s / step * (steps - step)
        line = f"step {step}/{steps}  loss {loss:.3f}  {left_s / 60:.1f} min left"
        end = "\n" if step == steps or not terminal else "\r"
        print(line, end=end, file=sys.stderr, flush=True)


def main() -> None:
    """Train, then write `abacus.gguf` and `hf/` under `--out`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abacus.train", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"1 to {STEPS_MAX}")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not 1 <= options.steps <= STEPS_MAX:
        parser.error(f"--steps {options.steps} is outside 1 to {STEPS_MAX}")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    weights, tokenizer = train(options.steps, options.seed)
    write_hf(options.out / "hf", weights, tokenizer, ABACUS)
    write_gguf(options.out / "hf", options.out / "abacus.gguf")


if __name__ == "__main__":
    main()
