"""Predict embeddings of target blocks from the embeddings of a context block (I-JEPA)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.averages import follow, frozen_copy
from workbench.models.initial import initialise
from workbench.models.jepa import Predictor, predicted
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import mean_where
from workbench.models.transformer import ViT, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Ijepa(Objective):
    """Smooth L1 to the running average's normalised embeddings of each target block.

    The encoder, which has no class token, reads the context alone; a narrow predictor asks it for
    one block at a time. The average reads the whole picture; its embeddings are normalised without
    gains and detached. Its momentum rises from `momentum` to 1 in a line. Blocks of different size
    are padded and padding is not attended to, where the official code cuts all to the shortest. A
    mask that names no targets has one block: all that it hides.

    Assran et al., I-JEPA; official files `src/train.py` and `src/models/vision_transformer.py`.
    """

    paper: ClassVar[str] = "arXiv:2301.08243"
    widths: ClassVar[tuple[tuple[str, str], ...]] = (("predictor_dim", "predictor_heads"),)
    default_mask: ClassVar[str] = "multi_block()"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "ijepa", 650, 20_000, small="ijepa(predictor_depth=2)", optimiser="adamw"
    )

    predictor_dim: Annotated[
        int, Knob("width of the predictor", 8, 4096, 4, None, 384, fixed=True)
    ] = 96
    predictor_depth: Annotated[int, Knob("blocks of it", 1, 48, 1, None, 12, fixed=True)] = 4
    predictor_heads: Annotated[int, Knob("heads of it", 1, 64, 1, None, 16, fixed=True)] = 3
    momentum: Momentum = 0.996

    def build(self, shape: EncoderShape, seed: int) -> nn.Module:
        """A ViT without class token, a predictor, and the frozen average of the ViT."""
        own = replace(shape.vit, class_token=False)
        sizes = (self.predictor_dim, self.predictor_depth, self.predictor_heads)
        parts = nn.ModuleDict({"encoder": ViT(own), "predictor": Predictor(own, *sizes)})
        initialise(parts, seed)
        parts["teacher"] = frozen_copy(parts["encoder"])
        return parts

    def encoder(self, model: nn.Module) -> ViT:
        """The context's encoder."""
        return cast(ViT, model.encoder)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over the patches of all blocks; `spread` near 0 tells a collapse."""
        patches = patchify(normalise(batch.images), self.encoder(model).shape.patch)
        said, places, real = predicted(model, patches, mask)
        whole = self.target(model, patches)
        many = len(said) // len(whole)
        wanted = gather_tokens(whole.repeat_interleave(many, 0), places)
        error = F.smooth_l1_loss(said.float(), wanted, reduction="none").mean(-1)
        return Loss(mean_where(error, real), {"spread": whole.flatten(0, 1).std(0).mean()})

    @torch.no_grad()
    def target(self, model: nn.Module, patches: Tensor) -> Tensor:
        """What the average makes of all patches, float32 [b, n, dim]."""
        whole = cast(ViT, model.teacher)(patches).float()
        return F.layer_norm(whole, whole.shape[-1:])

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of each block, [b * blocks, t, dim]."""
        patches = patchify(normalise(batch.images), self.encoder(model).shape.patch)
        return predicted(model, patches, mask)[0]

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the average."""
        momentum = self.momentum + (1 - self.momentum) * progress
        follow(cast(ViT, model.teacher), self.encoder(model), momentum)
