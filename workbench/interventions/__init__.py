"""Hide parts of a computation while a network runs: one intervention a file.

`INTERVENTIONS` is their Registry, found like that of the masks.
"""

from workbench.interventions.intervening import INTERVENTIONS, intervene, recipes_of
from workbench.interventions.intervention import Intervention

__all__ = ["INTERVENTIONS", "Intervention", "intervene", "recipes_of"]
