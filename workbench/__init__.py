"""Hide parts of a picture and look at what a model makes of the rest.

The doors: `workbench.masks` (strategies, grids, masks), `workbench.fills` (what is shown in the
holes), `workbench.models` (networks that reconstruct) and `workbench.scenes` (a picture from a
recipe). This module imports none of them, so that `import workbench` costs next to nothing.
"""

__version__ = "0.1.0"
