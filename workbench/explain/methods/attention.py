"""What the class token reads in one layer."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.explain.attention import attention_maps
from workbench.explain.methods.method import Asked, Method, Search, Step
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Attention(Method):
    """Attention from the class token, or from the mean patch, averaged over heads.

    The same for every class: it says where a network looks, not why it answers.
    """

    paper: ClassVar[str] = "arXiv:2104.14294"
    signed: ClassVar[bool] = False

    layer: Annotated[int, Knob("block; -1 for the last", -512, 511, 1, None, 11)] = -1

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        layer = asked.network.check_layer(self.layer) if asked.network.depth else 0
        found = attention_maps(asked.network, asked.image[None], layers=[layer])
        asked.shown += 1
        yield Step(1, 1)
        return found.asked_by(layer)[0].mean(0).float().cpu().numpy()
