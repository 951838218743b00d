"""The last maps that still feed the answer, weighted by their mean gradient (Grad-CAM)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.explain.methods.method import Asked, Method, Search, Step
from workbench.models.network import Network
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class GradCam(Method):
    """ReLU(sum_c mean(d score / d a_c) a_c), for a convnet by captum's LayerGradCam.

    Selvaraju et al. In a transformer a_c are the patch tokens of `norm1` of a block: that is the
    last place from which patches still reach a class token. A map that would be blank because its
    layer does not feed the answer is refused, not drawn.
    """

    paper: ClassVar[str] = "arXiv:1610.02391"
    signed: ClassVar[bool] = False

    layer: Annotated[int, Knob("stage or block; -1 for the last", -512, 511, 1, None, 11)] = -1

    def search(self, asked: Asked) -> Search:
        """See `Method.search`."""
        network = asked.network
        if network.kind == "convnet":
            stages = network.stages
            if not -len(stages) <= self.layer < len(stages):
                raise BadInput(
                    f"grad_cam: layer is {self.layer}, but {network.name} has {len(stages)} "
                    f"stages; take 0 to {len(stages) - 1}."
                )
            found = _by_captum(asked, stages[self.layer].module)
        elif network.kind == "vit":
            found = _of_tokens(asked, network, network.check_layer(self.layer))
        else:
            raise BadInput(
                f"grad_cam: tokens of {network.name} lie in shifted windows; take occlusion, rise "
                "or integrated_gradients."
            )
        yield Step(1, 1)
        return found


def _by_captum(asked: Asked, layer: nn.Module) -> np.ndarray:
    from captum.attr import LayerGradCam

    raw: Any = LayerGradCam(asked.of, layer).attribute(asked.pixels, relu_attributions=False)
    _refuse_blank(raw)
    return raw.clamp_min(0)[0, 0].detach().float().cpu().numpy()


def _of_tokens(asked: Asked, network: Network, layer: int) -> np.ndarray:
    seen: list[Tensor] = []
    norm: Any = getattr(network.blocks[layer], "norm1", None)
    if norm is None:
        raise BadInput(
            f"grad_cam: block {layer} of {network.name} has no norm before its attention; take "
            "integrated_gradients."
        )
    handle = norm.register_forward_hook(lambda _m, _i, out: seen.append(out))
    try:
        with torch.enable_grad():
            score = asked.of(asked.pixels.requires_grad_()).sum()
            slopes: Any = torch.autograd.grad(score, seen[0], allow_unused=True)
    finally:
        handle.remove()
    tokens = seen[0][:, network.prefix :]
    slope = slopes[0]
    slope = torch.zeros_like(tokens) if slope is None else slope[:, network.prefix :]
    _refuse_blank(slope)
    map_ = (tokens * slope.mean(1, keepdim=True)).sum(-1).clamp_min(0)
    return map_.view(network.grid.shape).detach().float().cpu().numpy()


def _refuse_blank(slope: Tensor) -> None:
    if not bool(slope.detach().abs().sum() > 0):
        raise BadInput(
            "grad_cam: no gradient arrives at this layer, so that the map would be blank: the "
            "answer is read from a class token that these patches no longer reach; take an earlier "
            "layer."
        )
