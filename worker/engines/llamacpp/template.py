"""A question as the model was trained to see it: rendered with the chat template of its file."""

import ctypes
from typing import Any

from worker.engine import Refused
from worker.engines.llamacpp.library import native
from worker.engines.llamacpp.model import Model
from worker.engines.options import LoadError

Messages = list[dict[str, str]]


class Template:
    """Renders and tokenises. llama.cpp knows the usual templates; the rest are run as Jinja."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._source = model.template()
        self._begin = model.special("bos")
        self._known = bool(self._source) and self._apply([{"role": "user", "content": ""}]) != ""
        self._jinja: Any = self._formatter() if self._source and not self._known else None

    @property
    def chat(self) -> bool:
        """Whether the model was made for questions; a base model continues text."""
        return bool(self._source)

    def tokens(self, system: str, prompt: str) -> tuple[int, ...]:
        """The tokens to compute before the answer; raises Refused when rendering fails."""
        text = self.render(system, prompt)
        add_special = not (self._begin and text.startswith(self._begin))  # written out already
        return self._model.tokenize(text, add_special)

    def render(self, system: str, prompt: str) -> str:
        """The text to be continued. A base model's is the prompt itself, after the system's."""
        if not self._source:
            return f"{system}\n\n{prompt}" if system else prompt
        prompt, system = prompt.replace("\0", "\ufffd"), system.replace("\0", "\ufffd")  # C strings
        messages = [{"role": "user", "content": prompt}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        if self._known:
            return self._apply(messages)
        try:
            return str(self._jinja(messages=messages).prompt)
        except Exception as error:  # the template is a program from the file: anything may come
            raise Refused(
                f"the model's chat template fails: {error}",
                "try without --system: some templates take no system line" if system else "",
            ) from error

    def _apply(self, messages: Messages) -> str:
        """llama.cpp's own rendering, "" when it does not know the template."""
        lib = native()
        chat = (lib.llama_chat_message * len(messages))()
        encoded = [(m["role"].encode(), m["content"].encode("utf-8", "replace")) for m in messages]
        for entry, (role, content) in zip(chat, encoded, strict=True):
            entry.role, entry.content = role, content
        room = 512 + 2 * sum(len(content) for _, content in encoded)
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = lib.llama_chat_apply_template(
                self._source.encode(), chat, len(messages), True, buffer, room
            )
            if size <= room:
                return buffer.raw[: max(size, 0)].decode("utf-8", "replace")
            room = size

    def _formatter(self) -> Any:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        try:
            return Jinja2ChatFormatter(
                template=self._source,
                eos_token=self._model.special("eos"),
                bos_token=self._begin,
            )
        except Exception as error:  # jinja2 names many; the template came with the file
            raise LoadError(
                "the chat template in the model file cannot be read",
                str(error),
                "ask whoever published the file; llama.cpp does not know this template either",
            ) from error
