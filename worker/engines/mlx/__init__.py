"""Models in MLX or Hugging Face form through mlx-lm, many sequences decoded in one batch.

    library.py    MLX and mlx-lm: imported on demand; what is set for the process, and put back
    folder.py     a model's folder: what must be there, whether it is whole, its digest
    model.py      one loaded folder: tokens, pieces, what can go wrong at load
    template.py   a question as the model was trained to see it
    layers.py     each layer's cache: rows filled from their first cell, masked behind their end
    context.py    the desk for prompts and the rows; decode, save, restore
    sampling.py   tokens drawn on the device from numbers of each slot's own dice
    opened.py     all that holds memory, opened together or not at all; what is measured at load

The loop over these parts is worker/engines/batched, the same as llama.cpp's. mlx-lm loads and
computes the model; its BatchGenerator is not used (docs/decisions/0203-mlx-engine.md): it wires all
recommended memory, copies the cache whenever a row joins or leaves, and pads rows on the left, so
that on a GPU a row's bits depend on who is beside it.

The first rule is llama.cpp's here too: the same seed and prompt give the same text, alone or in a
batch. Each row is filled from its first cell; a prompt is computed alone, in chunks that begin at
multiples of one size, and its cache copied into each row that answers it. Whether one row's logits
keep their bits beside others, and beside one that is as long as the context, is measured at load.
"""

from pathlib import Path

from worker.engine import Engine, EngineFacts
from worker.engines.options import EngineOptions

__all__ = ["load"]


def load(path: str, slots: int, options: EngineOptions) -> Engine:
    """Load a model's folder; raises LoadError."""
    from worker.engines.mlx import library

    library.native()  # first of all: the rest imports it
    from detect.mlx_model import name_of
    from worker.engines.mlx.engine import Mlx
    from worker.engines.mlx.folder import digest
    from worker.engines.mlx.opened import Opened
    from worker.engines.mlx.template import Template

    folder = Path(path)
    opened = Opened(folder, slots, options)
    try:
        template = Template(opened.model, opened.vocabulary_tokens)
        identity = digest(folder)
    except BaseException:
        opened.close()
        raise
    facts = EngineFacts(
        engine="mlx",
        engine_version=library.version(),
        model=name_of(folder),
        digest=identity,
        slots=slots,
        context_tokens=opened.size.context_tokens,
        notes=opened.notes(template.chat),
        load_log=opened.load_log(),
        tokens_per_s=dict(opened.rows.tokens_per_s),
    )
    return Mlx(opened, template, options.prefix_bytes, facts)
