"""Admit, step, cancel, close over one context, whatever the library. Pure: the parts are not."""

from collections.abc import Sequence
from typing import Any

from worker.engine import Completion, EngineFacts, Finish, Refused, Request, Step
from worker.engines.batched.parts import NO_TOKEN, DecodeFailed, Parts
from worker.engines.batched.prefixes import Prefix, Prefixes
from worker.engines.batched.rows import Rows
from worker.engines.batched.text import Text

RENDERED_MAX = 64  # prompts whose tokens are remembered between the seats of one job


class _Seat:
    """One occupied slot, from admission to its completion."""

    __slots__ = ("error", "last", "limit", "prompt", "sampler", "slot", "text", "tokens")

    def __init__(
        self, slot: int, request: Request, prompt: tuple[int, ...], room: int, sampler: Any
    ) -> None:
        self.slot = slot
        self.prompt = prompt
        self.sampler = sampler
        self.text = Text(request.stop)
        self.limit = min(request.max_tokens, room)
        self.tokens = 0
        self.last = -1  # the token sampled last, not yet in the cache
        self.error = ""

    def end(self, finish: Finish) -> Completion:
        self.sampler.close()
        return Completion(
            slot=self.slot,
            text=self.text.end(),
            finish=finish,
            prompt_tokens=len(self.prompt),
            tokens=self.tokens,
            error=self.error,
        )


class Batched:
    """An engine over loaded parts, which it owns from here on."""

    def __init__(self, parts: Parts, rows: Rows, facts: EngineFacts) -> None:
        self._model, self._context, self._template = parts.model, parts.context, parts.template
        self._batches = rows
        self._room, self._chunk = facts.context_tokens, parts.chunk_tokens
        self._prefixes = Prefixes(parts.prefix_bytes)
        self._rendered: dict[tuple[str, str], tuple[int, ...]] = {}
        self._free = list(range(facts.slots - 1, -1, -1))
        self._waiting: list[_Seat] = []  # admitted, prompt not computed; at most one per slot
        self._rows: list[_Seat] = []  # in the order of the context's rows
        self._lost: list[_Seat] = []  # their rows are gone; the next step tells of them
        self._on_desk: tuple[int, ...] = ()  # the prompt being computed
        self._facts = facts

    @property
    def facts(self) -> EngineFacts:
        """What is loaded."""
        return self._facts

    def admit(self, request: Request) -> int:
        """Take a request into a free slot; raises Refused when it can never run here."""
        assert self._free, "admit without a free slot"
        prompt = self._tokens(request)
        self._check(request, prompt)
        slot = self._free.pop()
        sampler = self._context.sampler(request.seed, request.temperature)
        self._waiting.append(_Seat(slot, request, prompt, self._room - len(prompt), sampler))
        return slot

    def step(self) -> Step:
        """One token for every live sequence, then one chunk of the oldest prompt still missing."""
        finished = self._told()
        tokens = self._decode(finished) if self._rows else 0
        prefilled = 0
        if self._waiting:
            prefilled, first = self._advance_prompts(finished)
            tokens += first
        finished += self._told()
        return Step(tokens=tokens, prefilled=prefilled, finished=tuple(finished))

    def cancel(self, slot: int) -> Completion:
        """End the request in this slot now."""
        for seats in (self._waiting, self._lost):
            for seat in seats:
                if seat.slot == slot:
                    seats.remove(seat)
                    return self._release(seat, "cancelled")
        for row, seat in enumerate(self._rows):
            if seat.slot == slot:
                self._drop_row(row)
                return self._release(seat, "cancelled")
        raise AssertionError(f"slot {slot} is free")

    def close(self) -> None:
        """Free the model and everything with it."""
        for seat in [*self._rows, *self._waiting, *self._lost]:
            seat.sampler.close()
        self._rows, self._waiting, self._lost = [], [], []
        self._prefixes.clear()
        self._context.close()
        self._model.close()

    # -- admission -------------------------------------------------------------------------------

    def _tokens(self, request: Request) -> tuple[int, ...]:
        key = (request.system, request.prompt)
        found = self._rendered.get(key)
        if found is None:
            found = self._template.tokens(request.system, request.prompt)
            while len(self._rendered) >= RENDERED_MAX:
                self._rendered.pop(next(iter(self._rendered)))
            self._rendered[key] = found
        return found

    def _check(self, request: Request, prompt: tuple[int, ...]) -> None:
        if len(prompt) >= self._room:
            raise Refused(
                f"the prompt has {len(prompt)} tokens; prompt and answer together may have "
                f"{self._room}",
                f"shorten it by {len(prompt) - self._room + 1} tokens or more, or start the worker "
                "with a larger --context",
            )
        if not prompt:
            raise Refused("the prompt is empty", "this model needs at least one character")
        if request.max_tokens < 1:
            raise Refused(f"max_tokens is {request.max_tokens}", "ask for at least one token")

    # -- decoding --------------------------------------------------------------------------------

    def _decode(self, finished: list[Completion]) -> int:
        """Advance every row by one token; returns how many tokens were sampled."""
        sampled = 0
        ended: list[tuple[_Seat, Finish]] = []
        for first, count in self._batches.groups(len(self._rows)):
            seats = self._rows[first : first + count]
            try:
                self._context.decode(
                    [seat.last for seat in seats],
                    [len(seat.prompt) + seat.tokens - 1 for seat in seats],
                    first,
                    pad=count == 1 and self._batches.pad_single,
                )
                drawn = self._context.draw([seat.sampler for seat in seats])
            except DecodeFailed as error:
                ended += self._fail(seats, error)
                continue
            sampled += count
            for seat, token in zip(seats, drawn, strict=True):
                finish = self._take(seat, token)
                if finish:
                    ended.append((seat, finish))
        for seat, finish in reversed(ended):  # those behind first: none is moved to end there
            self._drop_row(self._rows.index(seat))
            finished.append(self._release(seat, finish))
        return sampled

    def _take(self, seat: _Seat, token: int) -> Finish | None:
        """Add a sampled token to a seat's text; how it ended, if it did."""
        if token == NO_TOKEN:
            seat.error = "the model's values for the next token are no numbers"
            return "error"
        seat.tokens += 1
        if self._model.ends(token):
            return "stop"
        if seat.text.feed(self._model.piece(token)):
            return "stop"
        seat.last = token
        return "length" if seat.tokens >= seat.limit else None

    def _drop_row(self, row: int) -> None:
        """Free a row; the last live sequence moves into the gap, its bits unchanged.

        One that cannot be moved is lost, and the one before it moves.
        """
        while (last := len(self._rows) - 1) != row:
            try:
                self._context.move(last, row)
            except DecodeFailed as error:
                self._lost += (seat for seat, _ in self._fail([self._rows[last]], error))
                self._clear_last()
                continue
            self._rows[row] = self._rows[last]
            break
        self._clear_last()

    def _clear_last(self) -> None:
        self._context.clear(len(self._rows) - 1)
        self._rows.pop()

    def _told(self) -> list[Completion]:
        """The ends of those whose rows were lost."""
        lost, self._lost = self._lost, []
        return [self._release(seat, "error") for seat in lost]

    def _release(self, seat: _Seat, finish: Finish) -> Completion:
        self._free.append(seat.slot)
        return seat.end(finish)

    def _fail(self, seats: Sequence[_Seat], error: DecodeFailed) -> list[tuple[_Seat, Finish]]:
        for seat in seats:
            seat.error = str(error)
        return [(seat, "error") for seat in seats]

    # -- prompts ---------------------------------------------------------------------------------

    def _advance_prompts(self, finished: list[Completion]) -> tuple[int, int]:
        """Compute one chunk; start every seat whose prompt is there. (prefilled, sampled)."""
        sampled = self._start_ready(finished)
        if not self._waiting:
            return 0, sampled
        prompt = self._waiting[0].prompt
        try:
            prefilled = self._compute_chunk(prompt)
        except DecodeFailed as error:
            self._context.clear_desk()
            self._on_desk = ()
            for seat, _ in self._fail([s for s in self._waiting if s.prompt == prompt], error):
                self._waiting.remove(seat)
                finished.append(self._release(seat, "error"))
            return 0, sampled
        return prefilled, sampled + self._start_ready(finished)

    def _compute_chunk(self, prompt: tuple[int, ...]) -> int:
        """Bring the desk one chunk further in this prompt, and save it when complete."""
        context, grid = self._context, self._chunk
        if self._on_desk != prompt:
            self._begin(prompt)
        at = context.desk_length
        chunk = prompt[at : at + grid]
        last = at + len(chunk) == len(prompt)
        context.prefill(chunk, wants_logits=last)
        if last:
            logits = context.desk_logits()
            state, size = context.take_desk()
            self._prefixes.put(Prefix(prompt, state, size, logits))
            self._on_desk = ()
        return len(chunk)

    def _begin(self, prompt: tuple[int, ...]) -> None:
        self._context.clear_desk()
        self._on_desk = prompt
        near, length = self._prefixes.nearest(prompt, self._chunk)
        if near is not None:
            self._context.begin_desk(near.state, length)

    def _start_ready(self, finished: list[Completion]) -> int:
        """Give each waiting seat whose prompt is saved its row and its first token."""
        started = 0
        for seat in list(self._waiting):
            prefix = self._prefixes.get(seat.prompt)
            if prefix is None:
                continue
            self._waiting.remove(seat)
            started += 1
            finish = self._start(seat, prefix)
            if finish:
                finished.append(self._release(seat, finish))
            else:
                self._rows.append(seat)
        return started

    def _start(self, seat: _Seat, prefix: Prefix) -> Finish | None:
        """Draw a seat's first token and fill the next row; how it ended, if it did."""
        try:
            finish = self._take(seat, self._context.draw_first(seat.sampler, prefix.logits))
            if finish is None:
                self._context.restore(len(self._rows), prefix.state)
        except DecodeFailed as error:
            seat.error = str(error)
            return "error"
        return finish
