"""What the class token has gathered through all layers (attention rollout)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.explain.attention import attention_maps
from workbench.explain.methods.method import Asked, Method, Search, Step
from workbench.explain.rolling import rollout
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Rollout(Method):
    """Products of (mean attention + identity) / 2 (Abnar and Zuidema); the same for every class."""

    paper: ClassVar[str] = "arXiv:2005.00928"
    signed: ClassVar[bool] = False

    fuse: Annotated[str, Knob("how heads are joined", choices=("mean", "max", "min"))] = "mean"
    discard: Annotated[float, Knob("share of the lowest weights to leave out", 0, 0.99, 0.05)] = 0.0

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        found = attention_maps(asked.network, asked.image[None])
        asked.shown += 1
        yield Step(1, 1)
        map_ = rollout(found, fuse=self.fuse, discard=self.discard)  # pyright: ignore[reportArgumentType]
        return map_[0].float().cpu().numpy()
