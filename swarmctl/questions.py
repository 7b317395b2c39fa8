"""What is asked: from the command line, from standard input, or from a file of questions."""

import codecs
import sys
from pathlib import Path

import msgspec

from protocol.limits import PROMPT_BYTES_MAX
from swarmctl.exits import Failure, wrong

FILE_BYTES_MAX = 256 << 20
"""A file of questions; it is read whole, so that a mistake in line 9,000 is found before line 1."""

QUESTIONS_MAX = 1_000_000
"""In one file: beyond this, split it."""

LINE = '{"prompt": "What is 6 times 7?", "id": "q1"}'
EXAMPLE = "swarmctl submit 'What is 6 times 7?'"


class Question(msgspec.Struct, frozen=True):
    """One line of a file: its id is given, or the number of its line."""

    id: str | int
    prompt: str
    answer_type: str = ""  # empty: as for all of the file
    choices: tuple[str, ...] = ()


class _Line(msgspec.Struct):
    prompt: str
    id: str | int | None = None


def prompt(given: str | None) -> str:
    """The question: as given, or from standard input for `-` or when it is piped.

    Raises Failure for nothing, for what is no text, and for too much.
    """
    if given is not None and given != "-":
        return checked(given, "the prompt")
    if given is None and sys.stdin.isatty():
        raise wrong("no question was given", "there is no PROMPT and nothing piped in", EXAMPLE)
    raw = sys.stdin.buffer.read(PROMPT_BYTES_MAX + 1)
    return checked(decode(raw, "standard input").removesuffix("\n"), "standard input")


def decode(raw: bytes, where: str) -> str:
    """The bytes as text. Raises Failure when they are none."""
    try:
        text = raw.decode()
        at = text.find("\0")
        if at < 0:
            return text
        seen = f"a zero byte at character {at}"
    except UnicodeDecodeError as error:
        if error.start >= PROMPT_BYTES_MAX - 3 and len(raw) > PROMPT_BYTES_MAX:
            raise _too_large(len(raw), where) from None  # cut in mid-character by our own bound
        seen = f"byte 0x{raw[error.start]:02x} at position {error.start} is not UTF-8"
    raise wrong(f"{where} is no text", seen, "give the question as UTF-8 text")


def checked(text: str, where: str) -> str:
    """A question that may be asked, as it stands. Raises Failure for what is none."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise wrong(f"{where} is no text", str(error.reason), "give it as UTF-8 text") from None
    if not text.strip():
        raise wrong("the question is empty", f"{where} holds no text", EXAMPLE)
    if size > PROMPT_BYTES_MAX:
        raise _too_large(size, where)
    return text


def _too_large(size: int, where: str) -> Failure:
    return wrong(
        f"the question is over {PROMPT_BYTES_MAX} bytes",
        f"{where} holds at least {size}",
        "shorten it, or split it into several questions",
    )


def from_file(path: str) -> list[Question]:
    """The questions of a JSONL file, or of standard input for `-`. Raises Failure with the line."""
    return parse(contents(path), path)


def contents(path: str, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """A file, or standard input for `-`, whole. Raises Failure when it cannot be read."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(path).open("rb") as opened:
                raw = opened.read(bytes_max + 1)
    except OSError as error:
        raise wrong(f"cannot read {path}", str(error.strerror), "give another file") from None
    if len(raw) > bytes_max:
        because = "it is held in memory"
        raise wrong(f"{path} is over {bytes_max} bytes", because, "split it, or make it shorter")
    return raw.removeprefix(codecs.BOM_UTF8)  # as some editors begin a file


def parse(raw: bytes, where: str) -> list[Question]:
    """One JSON object a line with `prompt` and optional `id`; other keys are ignored."""
    decoder = msgspec.json.Decoder(_Line)
    questions: list[Question] = []
    lines: dict[str | int, int] = {}
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        question = _question(decoder, line, number, f"line {number} of {where}")
        if question.id in lines:
            first = lines[question.id]
            raise wrong(
                f"line {number} of {where} has the id {question.id!r}",
                f"so has line {first}",
                "give each question an id of its own, or none",
            )
        lines[question.id] = number
        questions.append(question)
        if len(questions) > QUESTIONS_MAX:
            because = "all are held in memory"
            raise wrong(f"{where} has over {QUESTIONS_MAX} questions", because, "split it")
    if not questions:
        raise wrong(f"{where} holds no question", "every line is empty", f"write {LINE}")
    return questions


def _question(
    decoder: msgspec.json.Decoder[_Line], line: bytes, number: int, where: str
) -> Question:
    try:
        read = decoder.decode(line)
    except (ValueError, RecursionError) as error:
        raise wrong(f"{where} is no question", str(error), f"write each line as {LINE}") from None
    return Question(number if read.id is None else read.id, checked(read.prompt, where))
