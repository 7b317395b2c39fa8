"""Which batch shapes give one row the same logits, and how fast they are: measured at load."""

import time

import msgspec

from worker.engines.batched.parts import Context


class Trial(msgspec.Struct, frozen=True):
    """How much is decoded to compare bits, and which groups are tried where all rows differ."""

    # Kernels that differ agree on some tokens by luck: on one in three for IQ4_NL, one row and two.
    lone_tokens: int = 8
    group_tokens: int = 4
    groups: tuple[int, ...] = (7,)  # K and IQ4_NL types change kernels at eight rows on a CPU


class Rows(msgspec.Struct, frozen=True):
    """How live sequences are put into batches."""

    pad_single: bool  # a lone row needs a second beside it
    group_rows: int  # at most so many rows in one batch
    same: bool  # logits are equal to the last bit in all batches so made
    tokens_per_s: dict[int, float] = {}  # of all rows together, by rows in the batch

    def groups(self, live: int) -> list[tuple[int, int]]:
        """(first, count) of each batch, sizes as even as can be: none is lone by accident."""
        batches = -(-live // self.group_rows)
        size, larger = divmod(live, batches) if batches else (0, 0)
        counts = [size + 1] * larger + [size] * (batches - larger)
        return [(sum(counts[:i]), count) for i, count in enumerate(counts)]


def measure(
    context: Context,
    vocabulary_tokens: int,
    slots: int,
    trial: Trial,
) -> Rows:
    """Decode one sequence in batches of 1, 2, 7 and all rows; compare every logit's bits, and time.

    Leaves the rows empty. Costs 8 x (1 + 2) + 4 x (7 + slots) rows: some tokens' time, in
    which the weights are also read from disk.
    """
    timed: dict[int, float] = {}
    count = trial.group_tokens
    lone = _logits(context, vocabulary_tokens, timed, 1, trial.lone_tokens)
    padded = _logits(context, vocabulary_tokens, timed, 1, trial.lone_tokens, pad=True)
    pad_single, expected = lone != padded, padded[: 2 * count]
    if slots == 1:
        return Rows(pad_single, group_rows=1, same=True, tokens_per_s=timed)
    for rows in (slots, *(rows for rows in trial.groups if rows < slots)):
        if _logits(context, vocabulary_tokens, timed, rows, count) == expected:
            return Rows(pad_single, group_rows=rows, same=True, tokens_per_s=timed)
    return Rows(pad_single=False, group_rows=slots, same=False, tokens_per_s=timed)


def _logits(
    context: Context,
    vocabulary_tokens: int,
    timed: dict[int, float],
    rows: int,
    count: int,
    *,
    pad: bool = False,
) -> list[bytes]:
    """Logits of the first and last of so many rows, which hold the same tokens, as bytes.

    Both are watched, since a blocked kernel treats whole blocks and leftover rows differently.
    The fastest decode's tokens/s goes into `timed`: the first ones read weights from disk.
    """
    seen, fastest_s = [], float("inf")
    for position in range(count):
        tokens = [(11 + 13 * row + position) % vocabulary_tokens for row in range(rows)]
        tokens[0] = tokens[-1] = (7 + position) % vocabulary_tokens
        began = time.perf_counter()
        context.decode(tokens, [position] * rows, pad=pad)
        seen.append(context.logits(0).tobytes())  # waits for a GPU to be done
        fastest_s = min(fastest_s, time.perf_counter() - began)
        seen.append(context.logits(rows - 1).tobytes())
    for row in range(rows):
        context.clear(row)
    timed[rows + pad] = round((rows + pad) / max(fastest_s, 1e-9), 1)
    return seen
