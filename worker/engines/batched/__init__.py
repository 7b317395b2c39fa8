"""What engines share that decode many sequences in one batch: all but the library itself.

    parts.py      what such an engine is made of: a model, a context, a template
    engine.py     admit, step, cancel, close over these parts
    rows.py       which batch shapes give the same logits: measured when the model is loaded
    prefixes.py   prompts computed before, least recently used out first             (pure)
    text.py       tokens to text: UTF-8 split over tokens, stop strings              (pure)
    tail.py       where the distribution's tail is cut before a token is drawn       (pure)

An engine brings the parts over its library (worker/engines/llamacpp, worker/engines/mlx) and is
held to the same contract by the same tests.
"""
