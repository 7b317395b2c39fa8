"""The shared loop over MLX's parts, which also puts back what was set for the process."""

from worker.engine import EngineFacts
from worker.engines.batched.engine import Batched
from worker.engines.batched.parts import Parts
from worker.engines.mlx.opened import Opened
from worker.engines.mlx.template import Template


class Mlx(Batched):
    """The engine `mlx`."""

    def __init__(
        self, opened: Opened, template: Template, prefix_bytes: int, facts: EngineFacts
    ) -> None:
        parts = Parts(opened.model, opened.context, template, opened.size.chunk, prefix_bytes)
        super().__init__(parts, opened.rows, facts)
        self._opened = opened

    def close(self) -> None:
        """Free the model and everything with it, and restore the process's settings."""
        super().close()
        self._opened.close()
