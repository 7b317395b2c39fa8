"""GGUF models through llama.cpp's low-level API, many sequences decoded in one batch.

    library.py    the shared library: imported on demand, its log kept instead of printed
    model.py      one loaded file: tokens, pieces, metadata, what can go wrong at load
    template.py   a question as the model was trained to see it
    context.py    the cache of keys and values: rows, prefill, saving and restoring sequences
    opened.py     all that holds memory, opened together or not at all
    sampling.py   one chain of samplers per slot, with its own seed
    threads.py    how many threads pay

The loop over these parts, shared with other engines, is worker/engines/batched.

The first rule here: the same seed and prompt give the same text, alone or in a batch. Sampling is
exact, so the rule holds when logits are equal to the last bit, and they are when each number is
added up in the same order. Read in llama.cpp's CPU sources and measured on x86-64 with AVX2 (bits
of all logits, F32, F16, BF16, Q8_0, Q4_0, Q5_0, IQ4_NL and the K types):

* Attention adds over the cells of the cache in their order. In one cache for all sequences that
  order depends on who else ran before; so each sequence has a stream of its own (kv_unified off),
  filled from its first cell. A stream is filled by copying the saved prompt into it.
* Flash attention on a CPU changes its order with the number of rows (64 and more: tiles; one row
  and 512 cells: one part per thread). It is off on a CPU, where it also was no faster beyond
  some 250 tokens of context; on a GPU it stays on.
* A prompt is computed in chunks that begin at multiples of one fixed size, alone in their batch,
  and a shared beginning is reused at those multiples only. So the shapes depend on the prompt
  alone, whatever the kernels do with them.
* One row and several rows use different kernels for F32, F16 and BF16 weights: a lone row gets a
  second one beside it, thrown away. Q8_0, Q4_0 and Q5_0 are equal from one row on.
* K and IQ4_NL types change kernels at eight rows: such models decode in groups of up to seven,
  which was also faster than eight at once (111 against 100 tokens/s on a 150 M Q4_K_M model). Their
  repacked form (use_extra_bufts) is not equal at any useful size and is left out: 136 tokens/s.

Which of these a model needs is measured when it is loaded (worker/engines/batched/rows.py); where
no shape is equal, the facts' notes say so. On a GPU equality is checked the same way but promised
by nobody.
"""

from worker.engine import Engine, EngineFacts
from worker.engines.options import EngineOptions, LoadError

__all__ = ["load"]


def load(path: str, slots: int, options: EngineOptions) -> Engine:
    """Load a GGUF file; raises LoadError."""
    from worker.engines.batched.engine import Batched
    from worker.engines.batched.parts import Parts
    from worker.engines.llamacpp.library import load_log, version
    from worker.engines.llamacpp.model import digest, name_of
    from worker.engines.llamacpp.opened import Opened
    from worker.engines.llamacpp.template import Template

    opened = Opened(path, slots, options)
    try:
        template = Template(opened.model)
    except LoadError:
        opened.close()
        raise
    facts = EngineFacts(
        engine="llamacpp",
        engine_version=version(),
        model=name_of(opened.model, path),
        digest=digest(path),
        slots=slots,
        context_tokens=opened.size.context_tokens,
        notes=opened.notes(template.chat),
        load_log="\n".join(load_log),
        tokens_per_s=dict(opened.rows.tokens_per_s),
    )
    parts = Parts(opened.model, opened.context, template, opened.size.chunk, options.prefix_bytes)
    return Batched(parts, opened.rows, facts)
