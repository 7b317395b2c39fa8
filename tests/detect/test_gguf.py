"""The bounded header reader: right on real files, and calm on broken ones."""

import contextlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import gguf as writer_package
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import shapes
from detect import gguf, model
from detect.quants import TYPES, row_bytes

VOCABULARY = 151_936
SMALL = shapes.Dims("llama", layers=2, width=256, heads=4, heads_kv=2, head=64, wide=512, vocab=512)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapes.write(tmp_path_factory.mktemp("gguf"), SMALL)


def test_every_format_has_the_size_that_the_gguf_package_gives() -> None:
    known = {
        int(kind): size
        for kind, size in writer_package.GGML_QUANT_SIZES.items()
        if int(kind) in TYPES
    }
    assert {kind: TYPES[kind][1:] for kind in known} == known


def test_a_started_block_counts_whole() -> None:
    assert row_bytes(8, 33) == 2 * 34


def test_the_header_is_read(small: Path) -> None:
    header = gguf.read(small)
    assert header.architecture == "llama"
    assert header.number("llama.block_count") == 2
    assert len(header.tensors) == len(shapes.tensors(SMALL))


def test_weights_add_up_to_the_table(small: Path) -> None:
    known = model.from_header(gguf.read(small))
    assert known.weight_bytes == sum(t.size_bytes for t in gguf.read(small).tensors)
    assert known.offloadable == 3


def test_a_cut_off_download_is_named(small: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(small.read_bytes()[: small.stat().st_size // 2])
    with pytest.raises(gguf.Malformed, match="cut short"):
        gguf.read(cut)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "has 0 bytes"),
        (b"PK\x03\x04" + bytes(60), "it is no GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0) + bytes(8), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0) + bytes(8), "tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60) + bytes(8), "keys"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + bytes(8), "a string of"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(gguf.Malformed, match=why):
        gguf.read(path)


@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_headers_are_read_or_refused_and_nothing_else(
    small: Path, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(small.read_bytes()[:4096])
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    # Anything but these two escapes and fails the test.
    with contextlib.suppress(gguf.Malformed, ValueError):
        model.from_header(gguf.read_one(path))


@given(raw=st.binary(max_size=400), count=st.integers(0, 3), keys=st.integers(0, 3))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bodies_are_refused_calmly(
    tmp_path: Path, raw: bytes, count: int, keys: int
) -> None:
    path = tmp_path / "random.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, count, keys) + raw)
    with contextlib.suppress(gguf.Malformed):
        gguf.read_one(path)


def write_parts(folder: Path, count: int) -> list[Path]:
    paths = []
    for part in range(count):
        path = folder / f"m-{part + 1:05d}-of-{count:05d}.gguf"
        out = writer_package.GGUFWriter(path, "llama")
        if part == 0:
            out.add_uint32("llama.block_count", count)
        out.add_uint16("split.count", count)
        out.add_uint16("split.no", part)
        out.add_tensor_info(f"blk.{part}.ffn_up.weight", (8, 32), shapes.dtype(shapes.F32), 1024)
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_ti_data_to_file()
        out.close()
        shapes.extend(path)
        paths.append(path)
    return paths


def test_a_split_model_is_all_its_parts(tmp_path: Path) -> None:
    first, *_ = write_parts(tmp_path, 3)
    header = gguf.read(first)
    assert [t.name for t in header.tensors] == [f"blk.{at}.ffn_up.weight" for at in range(3)]


def test_a_later_part_names_the_first(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, 2)
    with pytest.raises(gguf.Malformed, match="name the first"):
        gguf.read(parts[1])


def test_a_missing_part_is_an_error(tmp_path: Path) -> None:
    first, second = write_parts(tmp_path, 2)
    second.unlink()
    with pytest.raises(FileNotFoundError):
        gguf.read(first)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A header with a vocabulary of 151,936 tokens and as many merges."""
    path = tmp_path_factory.mktemp("large") / "large.gguf"
    out = writer_package.GGUFWriter(path, "qwen3")
    out.add_uint32("qwen3.block_count", 36)
    out.add_token_list([f"token{at:06d}" for at in range(VOCABULARY)])
    out.add_token_merges([f"t{at} o{at}" for at in range(VOCABULARY - 300)])
    out.add_token_types([1] * VOCABULARY)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_ti_data_to_file()
    out.close()
    return path


def test_a_large_vocabulary_is_counted_and_not_kept(large: Path) -> None:
    header = gguf.read(large)
    assert header.counts["tokenizer.ggml.tokens"] == VOCABULARY
    assert "tokenizer.ggml.tokens" not in header.values


def test_a_large_vocabulary_takes_little_memory(large: Path) -> None:
    """At most 30 MiB more than the process had, in a process of its own."""
    code = (
        "import resource, sys; from pathlib import Path; from detect import gguf;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "gguf.read(Path(sys.argv[1]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(large)], capture_output=True, check=True, timeout=60
    )
    assert int(done.stdout) <= 30 * 1024


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_count", float("inf")),
        ("embedding_length", -1),
        ("attention.key_length", 2**63),
        ("feed_forward_length", float("nan")),
        ("feed_forward_length", (4, -1)),
        ("attention.head_count", (float("inf"), 4.0)),
    ],
)
def test_a_size_that_is_none_is_named(small: Path, key: str, value: gguf.Value) -> None:
    header = gguf.read(small)
    values = {**header.values, f"llama.{key}": value}
    with pytest.raises(gguf.Malformed, match=rf"llama\.{key} is .*no size of a model"):
        model.from_header(msgspec.structs.replace(header, values=values))


def test_a_tensor_without_dimensions_is_read(small: Path) -> None:
    header = gguf.read(small)
    tensors = tuple(msgspec.structs.replace(one, dims=()) for one in header.tensors)
    assert model.from_header(msgspec.structs.replace(header, tensors=tensors)).query_values == 256


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(gguf.Malformed, match="no file"):
        gguf.read(tmp_path / "pipe.gguf")


def test_a_models_name_moves_no_cursor(small: Path) -> None:
    header = gguf.read(small)
    values = {**header.values, "general.name": "\x1b[2Jevil\nREADY" + "x" * 1000}
    name = model.from_header(msgspec.structs.replace(header, values=values)).name
    assert name.startswith("[2JevilREADYx")
    assert len(name) == model.NAME_CHARS_MAX


def test_a_vocabulary_alone_is_no_model(small: Path) -> None:
    header = msgspec.structs.replace(gguf.read(small), tensors=())
    with pytest.raises(ValueError, match="holds no weights"):
        model.from_header(header)
