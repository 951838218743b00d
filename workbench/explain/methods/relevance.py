"""Attention weighted by what the class's score thinks of it (Chefer et al.)."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.explain.class_relevance import relevance
from workbench.explain.methods.method import Asked, Method, Search, Step


@dataclass(frozen=True, kw_only=True)
class Relevance(Method):
    """R <- R + mean over heads of (dA * A)+ times R, through all blocks; see `class_relevance`."""

    paper: ClassVar[str] = "arXiv:2103.15679"
    signed: ClassVar[bool] = False

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        found = relevance(asked.network, asked.image[None], asked.target)
        asked.shown += 1
        yield Step(1, 1)
        return found[0].detach().float().cpu().numpy()
