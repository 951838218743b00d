"""Weighted k nearest neighbours among the training features (Wu et al., arXiv:1805.01978)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from workbench.evaluations.evaluation import Evaluation, Features, Report, Score, scored
from workbench.params import Knob

ROWS = 512


@dataclass(frozen=True, kw_only=True)
class Knn(Evaluation):
    """Each of the k most similar training pictures votes for its class with exp(cosine / T).

    Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination; the set-up
    of DINO's `eval_knn.py` (k = 20, T = 0.07). Nothing is trained.
    """

    paper: ClassVar[str] = "arXiv:1805.01978"

    k: Annotated[int, Knob("neighbours that vote", 1, 10_000, 1, None, 200)] = 20
    temperature: Annotated[float, Knob("of the votes", 0.001, 100, 0.01, None, 1)] = 0.07

    def score(
        self,
        train: Features,
        test: Features,
        classes: int,
        report: Report = lambda share: None,
    ) -> Score:
        """See `Evaluation.score`."""
        bank = torch.nn.functional.normalize(torch.from_numpy(train.values), dim=1)
        asked = torch.nn.functional.normalize(torch.from_numpy(test.values), dim=1)
        labels, k = torch.from_numpy(train.labels), min(self.k, len(train.labels))
        found: list[torch.Tensor] = []
        for at, rows in enumerate(asked.split(ROWS)):
            report(at * ROWS / len(asked))
            close, index = (rows @ bank.T).topk(k, dim=1)
            votes = torch.zeros(len(rows), classes)
            apart = close - close[:, :1]  # from the nearest: exp of the cosine itself overflows
            votes.scatter_add_(1, labels[index], (apart / self.temperature).exp())
            found.append(votes.argmax(1))
        return scored(torch.cat(found).numpy(), test.labels, k=k)
