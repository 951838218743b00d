"""What to show in place of what is hidden: one fill a file."""

from workbench.fills.fill import Fill
from workbench.registry import Registry

__all__ = ["FILLS", "Fill"]

FILLS: Registry[Fill] = Registry("workbench.fills", Fill, "workbench.fills")
