"""abacus, the built-in model: how it is shaped, taught, written to files, and judged.

    python -m benchmarks.abacus.train --out DIR     trains it and writes both forms
    python -m benchmarks.abacus.evaluate            measures it with llama.cpp on unseen stories

One concern a file: `shape` (sizes), `model` (the forward pass), `vocabulary` (the tokeniser),
`lessons` (what it is taught), `muon` (the optimiser), `train`, `export_gguf`, `export_hf`,
`evaluate`.
"""
