"""A question as the model was trained to see it: rendered with its tokenizer's chat template."""

from worker.engine import Refused
from worker.engines.mlx.model import Model


class Template:
    """Renders and tokenises."""

    def __init__(self, model: Model, vocabulary_tokens: int) -> None:
        self._model = model
        self._vocabulary_tokens = vocabulary_tokens
        self._begin: str = model.tokenizer.bos_token or ""
        self.chat: bool = model.tokenizer.has_chat_template
        """Whether the model was made for questions; a base model continues text."""

    def tokens(self, system: str, prompt: str) -> tuple[int, ...]:
        """The tokens to compute before the answer; raises Refused."""
        text = self.render(system, prompt)
        add_special = not (self._begin and text.startswith(self._begin))  # written out already
        tokens = self._model.tokenize(text, add_special)
        self._check(tokens)
        return tokens

    def render(self, system: str, prompt: str) -> str:
        """The text to be continued. A base model's is the prompt itself, after the system's."""
        if not self.chat:
            return f"{system}\n\n{prompt}" if system else prompt
        messages = [{"role": "user", "content": prompt}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        try:
            return str(
                self._model.tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, tokenize=False
                )
            )
        except Exception as error:  # the template is a program from the folder: anything may come
            raise Refused(
                f"the model's chat template fails: {error}",
                "try without --system: some templates take no system line" if system else "",
            ) from error

    def _check(self, tokens: tuple[int, ...]) -> None:
        """Refuse tokens without weights, such as a picture's: MLX checks no index."""
        beyond = max(tokens, default=0)
        if beyond >= self._vocabulary_tokens:
            written = self._model.tokenizer.convert_ids_to_tokens(beyond)
            raise Refused(
                f"the model has no weights for {written}",
                "leave it out of the prompt",
            )
