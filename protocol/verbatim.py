"""A text that is its own answer is said, and written, once.

Prose is its own canonical answer. A verdict would hold each such text two or three times: as a
vote's text, as its answer, and as the winner's. So on the wire and in the journal an answer that is
its vote's text is left out, and `verbatim` stands for it.
"""

from msgspec.structs import replace

from protocol.messages import Verdict, VoteRecord

CHARS_MIN = 200
"""Shorter answers are said twice: that costs less than leaving them out."""


def brief(verdict: Verdict) -> Verdict:
    """What is said for this verdict."""
    won, shorter, votes = False, False, []
    for vote in verdict.votes:
        if _repeats(vote):
            shorter = True
            won |= vote.seat == verdict.winner and vote.answer == verdict.answer
            votes.append(replace(vote, answer=None, verbatim=True))
        else:
            votes.append(vote)
    if not shorter:
        return verdict
    answer = None if won else verdict.answer
    return replace(verdict, answer=answer, votes=tuple(votes), verbatim=won)


def whole(verdict: Verdict) -> Verdict:
    """The verdict that was meant: the inverse of `brief`."""
    if not any(v.verbatim for v in verdict.votes):
        return verdict
    votes = [
        replace(v, answer=v.text.strip(), verbatim=False) if v.verbatim else v
        for v in verdict.votes
    ]
    answer = verdict.answer
    if verdict.verbatim:
        answer = next((v.answer for v in votes if v.seat == verdict.winner), None)
    return replace(verdict, answer=answer, votes=tuple(votes), verbatim=False)


def _repeats(vote: VoteRecord) -> bool:
    answer = vote.answer
    return answer is not None and len(answer) > CHARS_MIN and answer == vote.text.strip()
