"""Recognise the other view of the same picture among all views of the batch (SimCLR)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.headed import HeadedEncoder, fresh_weights
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective
from workbench.objectives.sized import cifar10
from workbench.params import Knob

Temperature = Annotated[float, Knob("temperature of the similarities", 0.001, 100, 0.05, None, 1)]


@dataclass(frozen=True, kw_only=True)
class Simclr(Objective):
    """Cross-entropy over 2 b - 1 candidates, the other view being the right one; nothing is hidden.

    Similarity is the cosine of projections divided by the temperature; the projector is two linear
    layers with a batch norm and is not kept. Collapsed features give log(2 b - 1).

    Chen et al., A Simple Framework for Contrastive Learning; official file `objective.py` of
    google-research/simclr.
    """

    paper: ClassVar[str] = "arXiv:2002.05709"
    views: ClassVar[int] = 2
    masked: ClassVar[bool] = False
    default_mask: ClassVar[str] = ""
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "simclr", 500, 25_000, crop=0.2, color=1.0
    )

    temperature: Temperature = 0.5
    width: Annotated[
        int, Knob("width of the projections", 2, 65536, 8, None, 512, fixed=True)
    ] = 128  # fmt: skip

    def build(self, shape: EncoderShape, seed: int) -> HeadedEncoder:
        """A ViT with the projector."""
        d = shape.dim
        head = nn.Sequential(
            nn.Linear(d, d, bias=False), nn.BatchNorm1d(d), nn.ReLU(), nn.Linear(d, self.width)
        )
        with fresh_weights(seed):
            model = HeadedEncoder(shape.vit, head)
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over all views; `accuracy` is the share of views that find the other one."""
        own = cast(HeadedEncoder, model)
        views = cast(Tensor, batch.views)
        patches = patchify(normalise(views.flatten(0, 1)), own.encoder.shape.patch)
        first, second = own.head(own.pooled(patches)).chunk(2)
        total, right = contrasted(first, second, self.temperature)
        return Loss(total, {"accuracy": right})


def contrasted(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The loss of two views [b, width] and how often the other view is the likeliest (NT-Xent)."""
    b = len(first)
    with torch.autocast(first.device.type, enabled=False):
        z = F.normalize(torch.cat([first, second]).float(), dim=1)
        likeness = z @ z.T / temperature
    likeness.fill_diagonal_(float("-inf"))
    other = torch.arange(2 * b, device=z.device).roll(b)
    right = (likeness.argmax(1) == other).float().mean()
    return F.cross_entropy(likeness, other), right
