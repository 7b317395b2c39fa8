"""How fast a worker has been lately, from its own steps."""

FORGET = 0.98
"""Weight of the past at each step that sampled: about the last fifty steps count."""

STEPS_WATCHED = 64
"""The longest step is that of the last so many, so that one slow prefill does not last for ever."""


class Speed:
    """Counts of tokens, and their rate while something was running."""

    def __init__(self) -> None:
        self.tokens = 0
        self.prefilled = 0
        self.step_s_max = 0.0
        self._steps = 0
        self._recent_tokens = 0.0
        self._recent_s = 0.0

    def add(self, tokens: int, prefilled: int, took_s: float) -> None:
        """Note one step."""
        self.tokens += tokens
        self.prefilled += prefilled
        self._recent_tokens = self._recent_tokens * FORGET + tokens
        self._recent_s = self._recent_s * FORGET + took_s
        self._steps += 1
        if self._steps % STEPS_WATCHED == 0:
            self.step_s_max = took_s
        self.step_s_max = max(self.step_s_max, took_s)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens sampled per busy second, prefill's time included; None before the first."""
        if not self._recent_tokens or not self._recent_s:
            return None
        return round(self._recent_tokens / self._recent_s, 1)
