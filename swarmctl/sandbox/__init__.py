"""Running programs that a model wrote: no network, no files written, no processes, bounded.

`runner` is the parent's side; `confined` runs as a process of its own and shuts itself in first.
"""

from swarmctl.sandbox.runner import NoSandbox, Program, run

__all__ = ["NoSandbox", "Program", "run"]
