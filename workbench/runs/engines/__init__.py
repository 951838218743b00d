"""Other machines that runs can be handed to: one engine a file; without one, this machine's queue.

An engine is somebody else's scheduler behind three verbs. `engine=slurm(partition="gpu")` is all
that a run, a sweep or a notebook says of it.
"""

from workbench.registry import Registry
from workbench.runs.engines.engine import Engine

__all__ = ["ENGINES", "Engine"]

ENGINES: Registry[Engine] = Registry("workbench.runs.engines", Engine, "workbench.engines")
