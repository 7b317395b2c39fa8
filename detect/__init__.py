"""What is here, and what fits. In reading order:

    home, keys, settings, process   where a node keeps things, what its user has set
    facts                           Machine, Device, Memory, Cpu: frozen, each field sourced
    record, host                    how detection asks, and how an answer is kept and replayed
    probing, probe, probes/         each question to a driver or engine in a process of its own
    system, android, cpu, memory, cgroups, pci, nvidia, amd, apple, ggml, visible
                                    readers: from what was answered to facts
    machine, advice                 all readers together; what mends an idle GPU
    gguf, quants, model, mlx_model  a model's header, and what it takes
    placement/                      from machine and model to a plan, with its sums
    simulated, confirm              llama.cpp's own layout of a planned worker
    doctor, seen                    every check, with the command that mends it

Nothing here imports an engine or a driver into the calling process.
"""
