"""Reasoning text is cut before anything else is read."""

OPENS = ("<think>", "<thinking>", "<|begin_of_thought|>")
CLOSES = ("</think>", "</thinking>", "<|end_of_thought|>")


def without_thought(text: str) -> str | None:
    """What follows the last finished thought; None: it ends inside a thought.

    Some chat templates put the opening mark into the prompt, so a closing mark without one counts.
    """
    if "<" not in text:
        return text
    end = 0
    for close in CLOSES:
        at = text.rfind(close)
        if at >= 0:
            end = max(end, at + len(close))
    rest = text[end:]
    for opening in OPENS:
        if opening in rest:
            return None
    return rest
