"""Hiding weights: one way of choosing them a file, and a mask that says which ones are hidden."""

from workbench.registry import Registry
from workbench.sparsity.sparsifier import Progress, Sparsifier, Task
from workbench.sparsity.weight_masks import WeightMasks, hiding, maskable

__all__ = [
    "SPARSIFIERS",
    "Progress",
    "Sparsifier",
    "Task",
    "WeightMasks",
    "hiding",
    "maskable",
]

SPARSIFIERS: Registry[Sparsifier] = Registry("workbench.sparsity", Sparsifier, "workbench.sparsity")
