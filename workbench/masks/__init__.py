"""Where to hide: the grid, the mask, and one strategy a file."""

from workbench.masks.lattice import Grid
from workbench.masks.mask import Mask
from workbench.masks.strategy import Strategy
from workbench.registry import Registry

__all__ = ["MASKS", "Grid", "Mask", "Strategy"]

MASKS: Registry[Strategy] = Registry("workbench.masks", Strategy, "workbench.masks")
