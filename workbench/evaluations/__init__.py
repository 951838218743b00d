"""What a trained encoder is worth: one protocol a file, found like the masks.

`reconstruction` is of another kind: it measures how well hidden pixels are filled in.
"""

from workbench.evaluations.evaluation import Evaluation, Features, Report, Score
from workbench.registry import Registry

__all__ = ["EVALUATIONS", "Evaluation", "Features", "Report", "Score"]

EVALUATIONS: Registry[Evaluation] = Registry(
    "workbench.evaluations", Evaluation, "workbench.evaluations"
)
