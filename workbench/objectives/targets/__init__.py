"""What can be computed of a picture to be predicted: one target a file, found like the masks."""

from workbench.objectives.targets.target import Target
from workbench.registry import Registry

__all__ = ["TARGETS", "Target"]

TARGETS: Registry[Target] = Registry(
    "workbench.objectives.targets", Target, "workbench.objectives.targets"
)
