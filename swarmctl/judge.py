"""`submit --judge MODEL`: a model of this node chooses among the finalists of a prose vote. Shell.

The comparisons are jobs of their own at the same broker, one vote each at temperature 0. What they
cannot settle, for want of time, of an answer or of a steady preference, is left as the count would
have it: a judge that fails costs its tokens, never the answer.
"""

import contextlib
from collections.abc import Sequence
from time import monotonic

import msgspec

from broker.voting import finals
from detect.home import Home
from protocol import messages as m
from protocol.ids import JobId
from swarmctl.client import Client
from swarmctl.exits import Exit, Failure, wrong
from swarmctl.follow import Follow
from swarmctl.text import plural, seconds, shorten
from swarmctl.together import Together
from swarmctl.uuid7 import job_id

MARGIN_S = 1.0
"""Kept of the job's time to say what came of it: a verdict that comes too late is none."""

TOKENS_MAX = 1024
"""Of one judgement: room to think before the letter."""

NAME_COLUMNS = 40
"""Of the judge's name in the verdict."""


def refuse_misuse(job: m.Submit, asks_agreement: bool) -> None:
    """Raises Failure for a job that a judge could not help."""
    if job.choices or job.schema or job.answer not in ("auto", "text"):
        kind = "choice" if job.choices else "json" if job.schema else job.answer
        raise wrong(
            f"--judge with --answer {kind}",
            "such answers are counted; a judge is for prose",
            "leave --judge out, or use --answer text",
        )
    if job.votes == 1:
        raise wrong("--judge with one vote", "there is nothing to compare", "-n 4")
    if asks_agreement:
        because = "texts of prose hardly ever agree"
        raise wrong("--judge with --min-agreement", because, "leave --min-agreement out")


def refuse_absent(model: str, client: Client) -> None:
    """Raises Failure when no worker of this node has the model."""
    listed = client.ask(m.Models(), m.ModelList).models
    here = [row for row in listed if row.workers]
    if not any(model in (row.model, row.digest) for row in here):
        names = ", ".join(sorted({shorten(row.model, NAME_COLUMNS) for row in here}))
        raise Failure(
            f"no worker has the judge's model {model!r}",
            f"there is {names or 'none'}",
            f"python -m worker --model {model}, or another --judge",
            Exit.NO_ROOM,
        )


class _Heard(msgspec.Struct):
    """What the judge answered, and what that cost."""

    said: dict[finals.Pair, str | None]
    read: int = 0  # tokens
    written: int = 0
    missing: str = ""  # why not all were answered

    def cost(self, took_s: float) -> str:
        """In words."""
        answered = sum(answer is not None for answer in self.said.values())
        silent = len(self.said) - answered
        told = f"{plural(len(self.said), 'question')}, {self.read} tokens read, {self.written} "
        told += f"written in {seconds(took_s)}"
        if silent:
            told += f"; {silent} had no answer" + (f": {self.missing}" if self.missing else "")
        return told


class Judge(Together):
    """A checker for `swarmctl.ask`."""

    answer = "text"

    def __init__(self, model: str, home: Home, job: m.Submit) -> None:
        """`job` is the question; its time runs from here."""
        super().__init__()
        self._model = model
        self._home = home
        self._job = job
        self._started_at = monotonic()

    def choose(self, votes: list[m.Progress], leader: str | None) -> tuple[tuple[int, ...], str]:
        """One vote, and how it was found. Raises nothing: without a judge the count decides."""
        texts = [told.vote.answer or "" for told in votes]
        final = finals.finalists(texts, leader)
        if len(final) == 1:
            return (final[0],), f"every text is the same: the judge {self._name} was not asked"
        started_at = monotonic()
        heard = self._compare([texts[number] for number in final])
        preferred = finals.preferences(heard.said)
        taken = finals.winner(len(final), preferred)
        seats = [votes[number].vote.seat for number in final]
        sentence = (
            f"the judge {self._name} compared seats {_listed(seats)} in both orders: "
            f"{_told(preferred, seats)}; took seat {seats[taken]}"
            f"{_why(taken, preferred)} ({heard.cost(monotonic() - started_at)})"
        )
        return (final[taken],), sentence

    @property
    def _name(self) -> str:
        return shorten(self._model, NAME_COLUMNS)

    def _compare(self, texts: Sequence[str]) -> _Heard:
        heard = _Heard(dict.fromkeys(finals.pairs(len(texts))))
        left_s = self._started_at + self._job.timeout_s - MARGIN_S - monotonic()
        if left_s <= 0:
            heard.missing = "no time was left"
            return heard
        jobs = {job_id(): pair for pair in heard.said}
        try:
            with Client(self._home) as client:
                self._listen(client, jobs, texts, left_s, heard)
        except Failure as error:
            heard.missing = error.seen
        return heard

    def _listen(
        self,
        client: Client,
        jobs: dict[JobId, finals.Pair],
        texts: Sequence[str],
        left_s: float,
        heard: _Heard,
    ) -> None:
        follow = Follow(monotonic())
        for job, (a, b) in jobs.items():
            put = self._question(job, texts[a], texts[b], left_s)
            client.send(*follow.add(put, monotonic()))
        with contextlib.suppress(_Left):
            for said in client.listen(follow, left_s, self._look):
                if isinstance(said, m.Verdict):
                    _take(heard, jobs[said.job], said)
                elif isinstance(said, m.Rejected):
                    heard.missing = said.problem.seen
        if follow.jobs:
            heard.missing = "no time was left"
            client.cancel(*follow.jobs)
        client.ack(*jobs)

    def _look(self) -> None:
        """Leave with the command."""
        if self._left.is_set():
            raise _Left

    def _question(self, job: JobId, first: str, second: str, left_s: float) -> m.Submit:
        asked = "\n\n".join(filter(None, (self._job.system, self._job.prompt)))
        return m.Submit(
            job=job,
            prompt=finals.question(asked, first, second),
            votes=1,
            answer="choice",
            choices=finals.CHOICES,
            temperature=0.0,
            max_tokens=TOKENS_MAX,
            seed=self._job.seed,
            model=self._model,
            timeout_s=left_s,
            local=self._job.local,
        )


class _Left(Exception):
    """The command that asked has ended."""


def _take(heard: _Heard, pair: finals.Pair, said: m.Verdict) -> None:
    heard.said[pair] = said.answer if said.outcome == "decided" else None
    heard.read += sum(vote.prompt_tokens for vote in said.votes)
    heard.written += said.tokens
    if said.answer is None:
        heard.missing = said.stopped


def _listed(seats: Sequence[int]) -> str:
    *most, last = map(str, seats)
    return f"{', '.join(most)} and {last}"


def _told(preferred: dict[finals.Pair, int | None], seats: Sequence[int]) -> str:
    parts = []
    for (a, b), won in preferred.items():
        if won is None:
            parts.append(f"{seats[a]} and {seats[b]} not told apart")
        else:
            parts.append(f"{seats[won]} over {seats[a + b - won]}")
    return ", ".join(parts)


def _why(taken: int, preferred: dict[finals.Pair, int | None]) -> str:
    wins = list(preferred.values())
    most = wins.count(taken)
    if not most:
        return ", as without a judge"
    even = sum(wins.count(number) == most for number in set(wins) - {None})
    return ", the most central of equals" if even > 1 else ""
