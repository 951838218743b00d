"""Predict what the model's own running average makes of the whole picture (data2vec)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.averages import cosine_momentum, follow, frozen_copy
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.models.transformer import ViT
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Data2vec(Objective):
    """Smooth L1 to the mean of the teacher's last `layers` blocks at hidden patches.

    The teacher is the running average of the encoder and reads the whole picture. Its blocks'
    outputs are normalised (layer norm without gains), averaged and normalised again. Its momentum
    goes from `momentum` to 1 on half a cosine.

    Baevski et al., data2vec; official file `beit/engine_for_cyclical.py` of data2vec_vision.
    """

    paper: ClassVar[str] = "arXiv:2202.03555"
    default_mask: ClassVar[str] = "block(ratio=0.6)"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("data2vec", 1000, 35_000)

    layers: Annotated[int, Knob("last blocks that are averaged", 1, 128, 1, None, 12)] = 6
    beta: Annotated[float, Knob("where the loss turns from squared to linear", 0, 100, 0.1)] = 2.0
    momentum: Momentum = 0.996

    def build(self, shape: EncoderShape, seed: int) -> TokenEncoder:
        """A ViT with a mask token, a linear head, and the frozen average of the ViT."""
        model = TokenEncoder(shape.vit, shape.dim)
        initialise(model, seed)
        model.teacher = frozen_copy(model.encoder)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden patches; `spread`, at most 1, is near 0 after a collapse."""
        said = self.predictions(model, batch, mask).float()
        wanted = self.target(cast(ViT, model.teacher), batch.images)
        error = F.smooth_l1_loss(said, wanted, reduction="none", beta=self.beta).mean(-1)
        spread = wanted.flatten(0, 1).std(0).mean()
        return Loss(mean_where(error, flags(mask, error)), {"spread": spread})

    @torch.no_grad()
    def target(self, teacher: ViT, images: Tensor) -> Tensor:
        """The averaged blocks, [b, n, dim], of pictures in [0, 1]."""
        patches = patchify(normalise(images), teacher.shape.patch)
        last = teacher.states(teacher.embed(patches))[-self.layers :]
        prefix, width = teacher.shape.prefix, (teacher.shape.dim,)
        parts = [F.layer_norm(each[:, prefix:].float(), width) for each in last]
        return F.layer_norm(torch.stack(parts).mean(0), width)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of every patch, [b, n, dim]."""
        patches = patchify(normalise(batch.images), cast(TokenEncoder, model).encoder.shape.patch)
        return model(patches, flags(mask, patches))

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the teacher."""
        own = cast(TokenEncoder, model)
        follow(cast(ViT, own.teacher), own.encoder, cosine_momentum(self.momentum, progress))
