"""Where guided masks get their maps: one score a file, a picture in, one value a patch out.

`SCORES` is their Registry, found like that of the masks.

Importing this package loads no torch; a score that needs a model loads it when it is asked.
"""

from workbench.scores.context import Context
from workbench.scores.providing import maps_for, score_map
from workbench.scores.score import SCORES, Score

__all__ = ["SCORES", "Context", "Score", "maps_for", "score_map"]
