"""Answers that are one of several allowed: by letter, or by the text of an option."""

from collections.abc import Sequence

from broker.voting.answers.letters import first_letter, last_letter
from broker.voting.answers.marked import after_marker, last_box
from broker.voting.answers.options import Options


def read_choice(text: str, choices: Sequence[str] = ()) -> str | None:
    """Which of the choices this text gives, as the caller wrote it; without choices, a letter.

    Looked for in the last box, then after the last marker, then in all of the text: what it opens
    with, else what comes last. What is said to be wrong is passed over.
    """
    options = Options(choices) if choices else None
    for part in (last_box(text), after_marker(text), text):
        if part is None:
            continue
        whole = part is text
        if options is None:
            found = last_letter(part) if whole else first_letter(part)
        else:
            number = options.last(part) if whole else options.first(part)
            found = None if number is None else choices[number]
        if found is not None:
            return found
    return None
