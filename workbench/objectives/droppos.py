"""Predict the places of visible patches that lost theirs (DropPos)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import Block, ViT, ViTShape, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.params import Knob

Share = Annotated[float, Knob("share of visible patches that lose their place", 0.01, 1, 0.05)]


@dataclass(frozen=True, kw_only=True)
class Droppos(Objective):
    """Cross-entropy over all places, for visible patches whose position became a learnt token.

    Hidden patches are dropped and never read. The target is smoothed over the neighbourhood,
    exp(-distance^2 / sigma^2) in patches, and sharpens as sigma goes linearly from `sigma` to 0.
    Patches that keep their place do not count. The official weight by attention is left out.

    Wang et al., DropPos; official file `models_DropPos_mae.py`.
    """

    paper: ClassVar[str] = "arXiv:2309.03576"
    must_hold: ClassVar[tuple[str, ...]] = ("visible",)
    default_mask: ClassVar[str] = "random(ratio=0.75)"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "droppos", 2500, 60_000, small="droppos(decoder_depth=1)"
    )

    drop: Share = 0.75
    sigma: Annotated[float, Knob("reach of the first targets in patches; 0 = sharp", 0, 100)] = 1.0
    decoder_depth: Annotated[
        int, Knob("blocks behind the encoder", 1, 48, 1, None, 12, fixed=True)
    ] = 2

    def build(self, shape: EncoderShape, seed: int) -> "PlaceFinder":
        """A ViT over visible patches, a few more blocks, a linear head to the places."""
        model = PlaceFinder(shape.vit, self.decoder_depth)
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over patches without a place; `accuracy` is the share of places found."""
        own = cast(PlaceFinder, model)
        visible, lost = self.chosen(batch, mask)
        places, said = visible.gather(1, lost), self.predictions(model, batch, mask).float()
        sigma = self.sigma * (1 - progress)
        wanted = smoothed(own.encoder.shape, sigma).to(said.device)[places]
        error = -(wanted * said.log_softmax(-1)).sum(-1)
        right = (said.argmax(-1) == places).float().mean()
        return Loss(error.mean(), {"accuracy": right})

    def chosen(self, batch: Batch, mask: Mask) -> tuple[Tensor, Tensor]:
        """Visible patches, int64 [b, k], and which of them lose their place, [b, lost] below k."""
        visible, _ = indices(mask, batch.images)
        k = visible.shape[1]
        count = min(k, max(1, int(np.floor(self.drop * k + 0.5))))
        order = batch.noise.uniform(k).argsort(1)[:, :count]
        return visible, torch.from_numpy(np.sort(order, axis=1)).to(visible.device)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Logits of the patches that lost their place, [b, lost, n]."""
        own = cast(PlaceFinder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        return own(patches, *self.chosen(batch, mask))


class PlaceFinder(nn.Module):
    """A ViT in which some patches have a token in place of their position."""

    def __init__(self, shape: ViTShape, depth: int) -> None:
        super().__init__()
        self.encoder = ViT(shape)
        self.lost_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        self.decoder = nn.ModuleList(
            Block(shape.dim, shape.heads, shape.hidden, eps=shape.eps) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(shape.dim, shape.eps)
        self.head = nn.Linear(shape.dim, shape.tokens)

    def forward(self, patches: Tensor, visible: Tensor, lost: Tensor) -> Tensor:
        """Logits [b, lost, n]; `visible` int64 [b, k] of patches, `lost` int64 [b, lost] of k."""
        encoder = self.encoder
        prefix = encoder.shape.prefix
        place = encoder.pos_embed[:, prefix:].expand(len(patches), -1, -1)
        place = gather_tokens(place, visible)
        gone = torch.zeros_like(visible, dtype=torch.bool).scatter(1, lost, True)
        place = torch.where(gone.unsqueeze(-1), self.lost_token, place)
        x = encoder.patch_embed(gather_tokens(patches, visible)) + place
        first = (encoder.cls_token + encoder.pos_embed[:, :prefix]).expand(len(x), -1, -1)
        x = encoder.norm(encoder.states(torch.cat([first.to(x.dtype), x], dim=1))[-1])
        for block in self.decoder:
            x = block(x)
        return self.head(self.norm(gather_tokens(x[:, prefix:], lost)))


def smoothed(shape: ViTShape, sigma: float) -> Tensor:
    """Targets of each place, float32 [n, n], rows add up to 1; sharp at sigma 0."""
    if sigma < 1e-3:
        return torch.eye(shape.tokens)
    rows, cols = torch.meshgrid(torch.arange(shape.rows), torch.arange(shape.cols), indexing="ij")
    at = torch.stack([rows.flatten(), cols.flatten()], dim=1).float()
    return (-torch.cdist(at, at).square() / sigma**2).softmax(1)
