"""Read the header of a GGUF model file: metadata and tensor table, never the weights.

The file is mapped, arrays are skipped (a vocabulary of 152,000 tokens is an array), and every count
and length is checked against the file's end before it is used, since a model file comes from a
stranger. Layout: ggml/docs/gguf.md, versions 2 and 3.
"""

import mmap
import re
import struct
from pathlib import Path

import msgspec

from detect.quants import TYPES, row_bytes

MAGIC = b"GGUF"
VERSIONS = (2, 3)
KEYS_MAX = 65_536  # real headers have 20 to 80
TENSORS_MAX = 262_144  # the largest models have a few thousand
KEY_BYTES_MAX = 65_535  # the format's own limit
VALUE_BYTES_MAX = 1 << 20  # of a string value kept; chat templates are some 10 kB
ARRAY_KEPT_MAX = 1024  # numbers of an array kept: one per layer; longer ones only count
NUMBER_MAX = 1 << 32  # llama.cpp reads every size of a model as 32 bits without a sign
DIMS_MAX = 4  # ggml's own limit
NESTING_MAX = 4  # arrays of arrays; no writer makes any
PARTS_MAX = 1000  # of a split model

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
Value = int | float | bool | str | tuple[int | float | bool, ...]


class Malformed(Exception):
    """The file is no GGUF, is cut short, or claims what cannot be."""


class Tensor(msgspec.Struct, frozen=True):
    """One row of the tensor table."""

    name: str
    dims: tuple[int, ...]
    type: int
    size_bytes: int


class Header(msgspec.Struct, frozen=True):
    """A model's header; of a split model, the parts' tensors together."""

    path: str
    values: dict[str, Value]
    counts: dict[str, int]  # lengths of the arrays that were skipped, such as the vocabulary
    tensors: tuple[Tensor, ...]
    file_bytes: int

    def number(self, key: str, default: int = 0) -> int:
        """A size of the metadata. Raises Malformed as `whole` does."""
        value = self.values.get(key, default)
        return whole(key, value) if isinstance(value, int | float) else default

    def text(self, key: str, default: str = "") -> str:
        """A string of the metadata."""
        value = self.values.get(key, default)
        return value if isinstance(value, str) else default

    @property
    def architecture(self) -> str:
        """The model family's name, such as llama or qwen3."""
        return self.text("general.architecture")


def whole(key: str, value: float) -> int:
    """A size as a number. Raises Malformed: none is negative, infinite, or no number at all."""
    if not 0 <= value <= NUMBER_MAX:
        raise Malformed(f"key {key} is {value}, which is no size of a model")
    return int(value)


def read(path: Path) -> Header:
    """Read the header, and those of the other parts when the model is split.

    Raises Malformed, or OSError when a file cannot be opened.
    """
    first = read_one(path)
    count = first.number("split.count", 1)
    if count <= 1:
        return first
    parts = [first, *(read_one(part) for part in other_parts(path, count))]
    return msgspec.structs.replace(
        first,
        tensors=tuple(tensor for part in parts for tensor in part.tensors),
        file_bytes=sum(part.file_bytes for part in parts),
    )


def other_parts(path: Path, count: int) -> list[Path]:
    """Name the parts after the first: model-00001-of-00003.gguf has two more."""
    match = re.fullmatch(r"(.*)-00001-of-(\d{5})\.gguf", path.name)
    if match is None or int(match[2]) != count or count > PARTS_MAX:
        raise Malformed(
            f"{path.name} is one part of a model in {count}: "
            f"name the first, …-00001-of-{count:05d}.gguf"
        )
    return [path.with_name(f"{match[1]}-{at:05d}-of-{match[2]}.gguf") for at in range(2, count + 1)]


def read_one(path: Path) -> Header:
    """Read the header of one file. Raises as `read` does."""
    if path.exists() and not path.is_file():
        raise Malformed(f"{path.name} is no file")  # opening a pipe would wait for its writer
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 24:
            raise Malformed(f"{path.name} has {size} bytes; a GGUF header alone has more")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            values, counts, tensors = _Walk(view, size).header()
    return Header(str(path), values, counts, tensors, size)


class _Walk:
    """A position in the mapped file; each step checks the end first."""

    def __init__(self, view: mmap.mmap, size: int) -> None:
        self.view = view
        self.size = size
        self.at = 0
        self.data_end = 0  # of the furthest tensor, from the start of the weights

    def header(self) -> tuple[dict[str, Value], dict[str, int], tuple[Tensor, ...]]:
        magic = self.take(4)
        if magic != MAGIC:
            raise Malformed(f"the file starts with {magic!r}, not with {MAGIC!r}: it is no GGUF")
        version = self.scalar("I")
        if version not in VERSIONS:
            raise Malformed(f"GGUF version {version}; versions 2 and 3 are known")
        tensor_count, key_count = self.scalar("Q"), self.scalar("Q")
        self.bound("tensors", tensor_count, TENSORS_MAX)
        self.bound("keys", key_count, KEYS_MAX)
        values: dict[str, Value] = {}
        counts: dict[str, int] = {}
        for _ in range(key_count):
            key = self.string(KEY_BYTES_MAX)
            value = self.value(self.scalar("I"), key, counts)
            if value is not None:
                values[key] = value
        tensors = tuple(self.tensor() for _ in range(tensor_count))
        alignment = values.get("general.alignment", 32)
        self.check_end(alignment if isinstance(alignment, int) and alignment > 0 else 32)
        return values, counts, tensors

    def check_end(self, alignment: int) -> None:
        """Check that the weights the table promises are in the file: downloads break off."""
        need = -(-self.at // alignment) * alignment + self.data_end
        if self.data_end and need > self.size:
            raise Malformed(f"the file is cut short: {self.size} of {need} bytes are there")

    def value(self, kind: int, key: str, counts: dict[str, int]) -> Value | None:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string(VALUE_BYTES_MAX)
        if kind != _ARRAY:
            raise Malformed(f"key {key} has a value of the unknown type {kind}")
        item, count = self.scalar("I"), self.scalar("Q")
        counts[key] = count
        if item in _SCALARS and count <= ARRAY_KEPT_MAX:
            return struct.unpack(
                f"<{count}{_SCALARS[item]}", self.take(count * struct.calcsize(_SCALARS[item]))
            )
        self.skip(item, count, NESTING_MAX)
        return None

    def tensor(self) -> Tensor:
        name = self.string(KEY_BYTES_MAX)
        dims_count = self.scalar("I")
        self.bound(f"dimensions of {name}", dims_count, DIMS_MAX)
        dims = tuple(self.scalar("Q") for _ in range(dims_count))
        kind = self.scalar("I")
        offset = self.scalar("Q")
        if kind not in TYPES:
            raise Malformed(f"tensor {name} has the unknown type {kind}")
        size = row_bytes(kind, dims[0] if dims else 1)
        for dim in dims[1:]:
            size *= dim
        self.data_end = max(self.data_end, offset + size)
        return Tensor(name, dims, kind, size)

    def skip(self, kind: int, count: int, depth: int) -> None:
        if kind in _SCALARS:
            self.move(count * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING:
            self.skip_strings(count)
        elif kind == _ARRAY and depth:
            self.bound("nested arrays", count, KEYS_MAX)
            for _ in range(count):
                item, inner = self.scalar("I"), self.scalar("Q")
                self.skip(item, inner, depth - 1)
        else:
            raise Malformed(f"an array of the unknown type {kind}")

    def skip_strings(self, count: int) -> None:
        """Skip so many strings; the loop is bare because a vocabulary has 300,000 of them."""
        if count > (self.size - self.at) // 8:
            raise Malformed(f"an array of {count} strings does not fit in the file")
        view, at, size, unpack = self.view, self.at, self.size, _LENGTH.unpack_from
        for _ in range(count):
            if at + 8 > size:
                raise Malformed("the file ends inside an array of strings")
            at += 8 + unpack(view, at)[0]
        if at > size:
            raise Malformed("a string runs past the end of the file")
        self.at = at

    def string(self, most: int) -> str:
        length = self.scalar("Q")
        if length > most:
            raise Malformed(f"a string of {length} bytes where at most {most} make sense")
        return self.take(length).decode("utf-8", "replace")

    def scalar(self, code: str) -> int:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]  # type: ignore[no-any-return]

    def take(self, count: int) -> bytes:
        start = self.at
        self.move(count)
        return self.view[start : self.at]

    def move(self, count: int) -> None:
        if count < 0 or count > self.size - self.at:
            raise Malformed(
                f"the file ends at byte {self.size}, inside its header: it is cut short"
            )
        self.at += count

    def bound(self, what: str, count: int, most: int) -> None:
        if count > most:
            raise Malformed(f"the header claims {count} {what}; more than {most} make no sense")


_LENGTH = struct.Struct("<Q")
