"""Verdicts of a node on questions with known answers, gathered as cases. Shell."""

from collections.abc import Callable
from typing import IO

from broker.voting.evaluate import Case, Sample, read
from protocol import messages as m
from protocol.ids import JobId
from swarmctl.cases import line_of
from swarmctl.questions import Question
from swarmctl.results import Sink


class Cases(Sink):
    """`cases` in the order of the questions; each is written to `out` as it comes, if there is.

    The node is told of each verdict whether it is right (`grade`): it cannot know by itself.
    """

    def __init__(
        self,
        golds: dict[str | int, str],
        out: IO[bytes] | None,
        grade: Callable[[JobId, bool], None],
    ) -> None:
        super().__init__(None, set(), json=False)
        self.cases: list[Case] = []
        self._golds = golds
        self._out = out
        self._grade = grade

    def verdict(self, question: Question, v: m.Verdict) -> None:
        """One question's end, with all of its votes."""
        case = Case(
            gold=self._golds[question.id],
            votes=tuple([_sample(vote) for vote in v.votes]),
            answer=v.answer_type or "auto",
            choices=question.choices,
            prompt=question.prompt,
            time_s=v.time_s,
            judged=True,
            verdict=v.answer if v.outcome == "decided" else None,
        )
        self.cases.append(case)
        if case.verdict is not None:
            self._grade(v.job, case.verdict == read(case).gold)
        if self._out is not None:
            self._out.write(line_of(question.id, case))
            self._out.flush()

    def refused(self, question: Question, said: m.Rejected) -> None:
        """A question that the broker would not take is told of, and not counted."""
        self.failed += 1


def _sample(vote: m.VoteRecord) -> Sample:
    return Sample(vote.model, vote.text, vote.tokens, vote.time_s, vote.finish)
