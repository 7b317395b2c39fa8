"""Write GGUF files with random weights, for speed and equality: no answer matters.

    python -m benchmarks.random_model 150m --type Q8_0 --out 150m.gguf

The same shape, type and seed give the same bytes. The tokenizer is a real byte-level BPE, made by
rule instead of training (all bytes, then the words that letters can spell), so any text can be
read and any token written. Scales are chosen so that activations stay near one through every layer
and the largest logits differ by a few units: sampling has real choices, as in a trained model.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

LOGIT_SPREAD = 2.0  # standard deviation of the logits: some tokens likely, none certain
TYPES = ("Q8_0", "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1")  # that gguf.quants writes
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n'"
    " + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


class Shape(msgspec.Struct, frozen=True):
    """The sizes of one model. `hidden` divides by 32 and by `heads`, `heads` by `kv_heads`.

    With a `window` it has the shape of Cohere 2, in which three of four layers see only so many
    tokens back, and the output is the embedding; else that of LLaMA.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int = 8192
    context: int = 4096
    window: int = 0

    @property
    def parameters(self) -> int:
        """Weights of all matrices; the norms are too few to count."""
        kv = self.hidden // self.heads * self.kv_heads
        layer = 2 * self.hidden * (self.hidden + kv) + 3 * self.hidden * self.ffn
        return self.layers * layer + (1 if self.window else 2) * self.vocabulary * self.hidden


SHAPES = {
    "tiny": Shape(2, 64, 4, 2, 160, vocabulary=640, context=512),
    "tiny-window": Shape(4, 64, 4, 2, 160, vocabulary=640, context=1024, window=16),
    "150m": Shape(22, 768, 12, 4, 2048),
    "500m": Shape(28, 1280, 20, 4, 3456),
    "1500m": Shape(28, 2048, 16, 8, 6144, vocabulary=32768),
}


def write(path: Path, shape: Shape, kind: str = "Q8_0", seed: int = 0, chat: bool = True) -> None:
    """Write the model. `kind` is F32, F16, Q8_0, Q4_0 or another type that gguf.quants can write.

    Without `chat` the file carries no chat template, as a base model's does. A file that was cut
    short by an interrupt never stands under the final name.
    """
    import gguf

    unfinished = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(str(unfinished), "cohere2" if shape.window else "llama")
    _describe(writer, shape, gguf.LlamaFileType[_file_type(kind)])
    _describe_tokenizer(writer, shape.vocabulary, chat)
    for name, values in tensors(shape, seed):
        one_dimension = values.ndim == 1
        written = gguf.GGMLQuantizationType["F32" if one_dimension else kind]
        writer.add_tensor(name, gguf.quants.quantize(values, written), raw_dtype=written)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unfinished.replace(path)


def _file_type(kind: str) -> str:
    return {"F32": "ALL_F32"}.get(kind, f"MOSTLY_{kind}")


def _describe(writer: Any, shape: Shape, file_type: int) -> None:
    head = shape.hidden // shape.heads
    writer.add_name(f"random-{shape.parameters // 1_000_000}m")
    writer.add_file_type(file_type)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(10_000.0)
    if shape.window:
        writer.add_sliding_window(shape.window)
        writer.add_logit_scale(LOGIT_SPREAD / shape.hidden**0.5)
        writer.add_layer_norm_eps(1e-5)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)


def _describe_tokenizer(writer: Any, size: int, chat: bool) -> None:
    import gguf

    tokens, merges = byte_pairs(size)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in SPECIALS else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    if chat:
        writer.add_chat_template(TEMPLATE)


def byte_pairs(size: int) -> tuple[list[str], list[str]]:
    """The tokens and the merges that reach them: bytes, specials, words of two to four letters.

    Bytes are written as printable characters by the rule of GPT-2's tokenizer, in which a space
    is U+0120.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    tokens = [*SPECIALS, *map(chr, printable), *(chr(256 + i) for i in range(len(others)))]
    assert len(tokens) == 259 <= size, "the vocabulary must hold all bytes and the specials"
    letters = "etaoinshrdlucmfwypvbgkjqxz"  # the most used first: a small vocabulary gets those
    merges: list[str] = []
    starts = ["\u0120", *letters]
    while len(tokens) < size:
        grown = []
        for left, right in itertools.product(starts, letters):
            if len(tokens) < size:
                tokens.append(left + right)
                merges.append(f"{left} {right}")
                grown.append(left + right)
        starts = grown
    return tokens, merges


def tensors(shape: Shape, seed: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor by llama.cpp's name, as (rows, columns): matrices map columns to rows."""
    kv = shape.hidden // shape.heads * shape.kv_heads
    dice = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, gain: float = 1.0) -> NDArray[np.float32]:
        values = dice.standard_normal((rows, columns), dtype=np.float32)
        values *= np.float32(gain / columns**0.5)
        return values

    ones = np.ones(shape.hidden, dtype=np.float32)
    yield "token_embd.weight", matrix(shape.vocabulary, shape.hidden, shape.hidden**0.5)
    quiet = 1 / (2 * shape.layers) ** 0.5  # what each branch adds to the stream stays below it
    for layer in range(shape.layers):
        at = f"blk.{layer}."
        yield at + "attn_norm.weight", ones
        yield at + "attn_q.weight", matrix(shape.hidden, shape.hidden, 1.5)
        yield at + "attn_k.weight", matrix(kv, shape.hidden, 1.5)
        yield at + "attn_v.weight", matrix(kv, shape.hidden)
        yield at + "attn_output.weight", matrix(shape.hidden, shape.hidden, quiet)
        if not shape.window:  # there both branches read the same norm
            yield at + "ffn_norm.weight", ones
        yield at + "ffn_gate.weight", matrix(shape.ffn, shape.hidden)
        yield at + "ffn_up.weight", matrix(shape.ffn, shape.hidden)
        yield at + "ffn_down.weight", matrix(shape.hidden, shape.ffn, quiet)
    yield "output_norm.weight", ones
    if not shape.window:
        yield "output.weight", matrix(shape.vocabulary, shape.hidden, LOGIT_SPREAD)


def command(
    parser: argparse.ArgumentParser,
    writer: Callable[[Path, Shape, str, int], None],
    shapes: Sequence[str],
    kinds: Sequence[str],
) -> None:
    """Write the model that the command line names. `kinds`: of weights, the default first."""
    parser.add_argument("shape", choices=sorted(shapes))
    parser.add_argument("--type", default=kinds[0], choices=kinds)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    writer(given.out, SHAPES[given.shape], given.type, given.seed)
    print(f"{given.out}: {SHAPES[given.shape].parameters:,} weights in {given.type}")


def main() -> None:
    """Write one model file, named on the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.random_model", description=__doc__)
    command(parser, write, list(SHAPES), TYPES)


if __name__ == "__main__":
    main()
