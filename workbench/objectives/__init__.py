"""What a network is asked to predict: one objective a file, found like the masks."""

from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    flags,
    indices,
)
from workbench.registry import Registry

__all__ = [
    "OBJECTIVES",
    "Batch",
    "EncoderShape",
    "Loss",
    "Measured",
    "Objective",
    "flags",
    "indices",
]

OBJECTIVES: Registry[Objective] = Registry(
    "workbench.objectives", Objective, "workbench.objectives"
)
