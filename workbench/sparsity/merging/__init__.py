"""Several fine-tuned networks made into one: task vectors, masks, scales and transport."""

from workbench.sparsity.merging.concrete import concrete_mask
from workbench.sparsity.merging.fusion import fuse
from workbench.sparsity.merging.scaling import scale_blocks
from workbench.sparsity.merging.task_vectors import TaskVector, add_vectors

__all__ = ["TaskVector", "add_vectors", "concrete_mask", "fuse", "scale_blocks"]
