"""Data sets that runs train on: one a file, named by a recipe such as `folder(path="photos")`."""

from workbench.data.sets.dataset import Dataset, Pictures
from workbench.registry import Registry

__all__ = ["DATASETS", "Dataset", "Pictures"]

DATASETS: Registry[Dataset] = Registry("workbench.data.sets", Dataset, "workbench.datasets")
