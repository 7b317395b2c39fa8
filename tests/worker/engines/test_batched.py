"""The loop over a context that fails at any call: no seat is lost, no row is another's."""

import random
import zlib

import pytest

from worker.engine import Completion, EngineFacts, Request
from worker.engines.batched.engine import Batched
from worker.engines.batched.parts import DecodeFailed, Parts
from worker.engines.batched.rows import Rows

VOCABULARY = 64
END = 63
CHUNK = 4
ROOM = 40


def _next(tokens: list[int], seed: int) -> int:
    """A network of few words: each token follows from all before it and from the seed."""
    return zlib.crc32(bytes([*tokens, seed])) % VOCABULARY


def _alone(request: Request) -> str:
    tokens, answer = list(request.prompt.encode()), ""
    limit = min(request.max_tokens, ROOM - len(tokens))
    for _ in range(limit):
        token = _next(tokens, request.seed)
        if token == END:
            break
        tokens.append(token)
        answer += chr(token + 32)
    return answer


class _Dice:
    """A sampler: its seed, and whether it was closed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class _Paper:
    """A context that keeps each row's tokens, checks what it is told, and fails by chance."""

    def __init__(self, slots: int, dice: random.Random, share: float) -> None:
        self._dice, self.share = dice, share
        self.rows: list[list[int]] = [[] for _ in range(slots)]
        self.desk: list[int] = []
        self.samplers: list[_Dice] = []
        self._last: list[list[int]] = []

    @property
    def desk_length(self) -> int:
        return len(self.desk)

    def _may_fail(self) -> None:
        if self._dice.random() < self.share:
            raise DecodeFailed("no room in the cache")

    def decode(self, tokens, positions, first=0, pad=False) -> None:
        self._last = []
        self._may_fail()
        for row, (token, position) in enumerate(zip(tokens, positions, strict=True), first):
            assert len(self.rows[row]) == position, "a row holds what its seat believes"
            self.rows[row].append(token)
            self._last.append(list(self.rows[row]))

    def sampler(self, seed: int, temperature: float) -> _Dice:
        self.samplers.append(_Dice(seed))
        return self.samplers[-1]

    def draw(self, samplers) -> list[int]:
        self._may_fail()
        return [_next(row, one.seed) for row, one in zip(self._last, samplers, strict=True)]

    def draw_first(self, sampler: _Dice, logits) -> int:
        self._may_fail()
        return _next(logits, sampler.seed)

    def desk_logits(self) -> list[int]:
        return list(self.desk)

    def prefill(self, tokens, wants_logits: bool) -> None:
        self.desk += tokens[:1]  # a part was computed before it failed
        self._may_fail()
        self.desk += tokens[1:]

    def take_desk(self) -> tuple[list[int], int]:
        taken, self.desk = self.desk, []
        return taken, len(taken)

    def begin_desk(self, state: list[int], length: int) -> bool:
        assert not self.desk
        self.desk = state[:length]
        self._may_fail()
        return True

    def clear_desk(self) -> None:
        self.desk = []

    def restore(self, row: int, state: list[int]) -> None:
        self.rows[row] = state[:1]
        self._may_fail()
        self.rows[row] = list(state)

    def move(self, origin: int, target: int) -> None:
        self.rows[target] = self.rows[origin][:1]
        self._may_fail()
        self.rows[target] = list(self.rows[origin])

    def clear(self, row: int) -> None:
        self.rows[row] = []

    def close(self) -> None:
        self.rows = []


class _Letters:
    """Model and template: a letter is a token."""

    def tokens(self, system: str, prompt: str) -> tuple[int, ...]:
        return tuple(prompt.encode())

    def piece(self, token: int) -> bytes:
        return bytes([token + 32])

    def ends(self, token: int) -> bool:
        return token == END

    def close(self) -> None:
        pass


def _engine(context: _Paper, slots: int, group_rows: int) -> Batched:
    parts = Parts(_Letters(), context, _Letters(), CHUNK, prefix_bytes=60)
    rows = Rows(pad_single=True, group_rows=group_rows, same=True)
    return Batched(parts, rows, EngineFacts("paper", "1", "paper", "sha256:", slots, ROOM))


def _requests(dice: random.Random, count: int) -> list[Request]:
    prompts = ["".join(dice.choices("abc", k=dice.randint(1, 30))) for _ in range(6)]
    prompts += [prompts[0][:7] + "d", prompts[0] + "d"]
    return [
        Request(dice.choice(prompts), seed=dice.randrange(256), max_tokens=dice.randint(1, 30))
        for _ in range(count)
    ]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 1.0])
@pytest.mark.parametrize(("slots", "group_rows"), [(1, 1), (3, 3), (8, 3)])
def test_every_seat_ends_once_whatever_fails(slots: int, group_rows: int, share: float) -> None:
    dice = random.Random(slots)
    context = _Paper(slots, dice, share)
    engine = _engine(context, slots, group_rows)
    todo, held, ends = _requests(dice, 150), dict[int, Request](), dict[str, int]()

    def end(done: Completion) -> None:
        ends[done.finish] = ends.get(done.finish, 0) + 1
        expected = _alone(held.pop(done.slot))
        if done.finish in ("cancelled", "error"):
            assert expected.startswith(done.text)
        else:
            assert done.text == expected
        assert done.error or done.finish != "error"

    steps = 0
    while todo or held:
        while todo and len(held) < slots and dice.random() < 0.7:
            request = todo.pop()
            slot = engine.admit(request)
            assert slot not in held
            held[slot] = request
        for done in engine.step().finished:
            end(done)
        for slot in [one for one in held if dice.random() < 0.03]:
            end(engine.cancel(slot))
        steps += 1
        assert steps < 10_000
    assert sum(ends.values()) == 150
    assert ("error" in ends) == (share > 0)
    assert context.rows == [[]] * slots
    assert [one.closed for one in context.samplers] == [1] * 150


def test_a_row_that_cannot_be_moved_is_told_of_and_the_others_go_on() -> None:
    context = _Paper(3, random.Random(1), share=0.0)
    engine = _engine(context, 3, 3)
    requests = [Request("abc", seed=seed, max_tokens=20) for seed in (1, 2, 5)]
    slots = [engine.admit(request) for request in requests]
    engine.step()
    context.share = 1.0
    assert engine.cancel(slots[0]).finish == "cancelled"
    context.share = 0.0
    assert engine.cancel(slots[2]).finish == "cancelled"
    done = {one.slot: one for _ in range(30) for one in engine.step().finished}
    assert {slot: one.finish for slot, one in done.items()} == {slots[1]: "error"}
    assert "no room" in done[slots[1]].error
