"""Predict what a patch shares with the neighbours most like it, from a context block (DMT-JEPA)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.averages import follow, frozen_copy
from workbench.models.initial import initialise
from workbench.models.jepa import LocalHead, Predictor, predicted
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import mean_where
from workbench.models.transformer import ViT, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class DmtJepa(Objective):
    """I-JEPA whose target of a patch is gathered from its most similar neighbours.

    Targets: the running average's normalised embeddings go through the average of a local head, in
    which the picture's mean token attends to the `similar` of a patch's 8 neighbours with the
    highest cosine, in two blocks. Context: what the mean token asks of the context is added to its
    tokens before the predictor. Neighbours end at the border, where the official table wraps round
    (and knows only 36, 196 and 256 patches); a corner, which has 3, stands in itself for a fourth.

    Mo and Yun, DMT-JEPA; official files `src/models/local_agg_head.py` and `src/train.py`.
    """

    paper: ClassVar[str] = "arXiv:2405.17995"
    widths: ClassVar[tuple[tuple[str, str], ...]] = (("predictor_dim", "predictor_heads"),)
    default_mask: ClassVar[str] = "multi_block()"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "dmt_jepa", 480, 15_000, small="dmt_jepa(predictor_depth=2)", optimiser="adamw"
    )

    predictor_dim: Annotated[
        int, Knob("width of the predictor", 8, 4096, 4, None, 384, fixed=True)
    ] = 96
    predictor_depth: Annotated[int, Knob("blocks of it", 1, 48, 1, None, 12, fixed=True)] = 4
    predictor_heads: Annotated[int, Knob("heads of it", 1, 64, 1, None, 16, fixed=True)] = 3
    similar: Annotated[int, Knob("neighbours that make a target", 1, 8, 1, fixed=True)] = 4
    momentum: Momentum = 0.996

    def build(self, shape: EncoderShape, seed: int) -> nn.Module:
        """A ViT without class token, predictor, local head, and averages of ViT and head."""
        own = replace(shape.vit, class_token=False)
        sizes = (self.predictor_dim, self.predictor_depth, self.predictor_heads)
        kept = {"encoder": ViT(own), "local": LocalHead(own, self.similar)}
        parts = nn.ModuleDict({**kept, "predictor": Predictor(own, *sizes)})
        initialise(parts, seed)
        parts["teacher"] = frozen_copy(nn.ModuleDict(kept))
        return parts

    def encoder(self, model: nn.Module) -> ViT:
        """The context's encoder."""
        return cast(ViT, model.encoder)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over the patches of all blocks; `spread` near 0 tells a collapse."""
        patches = patchify(normalise(batch.images), self.encoder(model).shape.patch)
        said, places, real = self._said(model, patches, mask)
        whole = self.target(model, patches)
        many = len(said) // len(whole)
        wanted = gather_tokens(whole.repeat_interleave(many, 0), places)
        error = F.smooth_l1_loss(said.float(), wanted, reduction="none").mean(-1)
        return Loss(mean_where(error, real), {"spread": whole.flatten(0, 1).std(0).mean()})

    @torch.no_grad()
    def target(self, model: nn.Module, patches: Tensor) -> Tensor:
        """What the averages gather for each patch, float32 [b, n, dim]."""
        teacher = cast(nn.ModuleDict, model.teacher)
        whole = teacher["encoder"](patches).float()
        return (
            cast(LocalHead, teacher["local"]).local(F.layer_norm(whole, whole.shape[-1:])).float()
        )

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of each block, [b * blocks, t, dim]."""
        patches = patchify(normalise(batch.images), self.encoder(model).shape.patch)
        return self._said(model, patches, mask)[0]

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move both averages."""
        momentum = self.momentum + (1 - self.momentum) * progress
        teacher = cast(nn.ModuleDict, model.teacher)
        follow(teacher["encoder"], self.encoder(model), momentum)
        follow(teacher["local"], cast(LocalHead, model.local), momentum)

    def _said(self, model: nn.Module, patches: Tensor, mask: Mask) -> tuple[Tensor, Tensor, Tensor]:
        return predicted(model, patches, mask, cast(LocalHead, model.local).pooled)
