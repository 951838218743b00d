"""Mask features of a classifier, rebuild them, and let its own head classify the result (MRM)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.rebuilder import Rebuilder
from workbench.objectives.consistency import Consistency, with_teacher
from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    Takes,
    flags,
)
from workbench.objectives.sized import cifar10
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Mrm(Consistency, Objective):
    """Cross-entropy on labels + `weight` * q * that of rebuilt features to a pseudo-label.

    The encoder reads the whole picture; then features of hidden patches give way to one learnt
    token, a small rebuilder restores them from the others, and the classifier's own head tells the
    class from their mean. Nothing asks the rebuilt features to equal the true ones. The teacher, a
    running average without a rebuilder, reads the whole picture; q is the share of the batch of
    which it is surer than `threshold`. The rebuilder is dropped after training. Because features
    are masked and not pixels, hidden pixels leak into what is said by design.

    Masked Feature Modeling Enhances Adaptive Segmentation (there between two domains, pixel by
    pixel, with a segmentation decoder). No official code was at hand: this is our reading, on
    pictures with one label and with the labels and teacher of `mic`.
    """

    paper: ClassVar[str] = "arXiv:2509.13801"
    takes: ClassVar[Takes] = "labelled"
    default_mask: ClassVar[str] = "random(ratio=0.7)"
    equal_counts: ClassVar[bool] = False
    metric: ClassVar[str] = "share of test pictures told right from features rebuilt after masking"
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "mrm", 400, 20_000, small="mrm(labelled=0.5, threshold=0.4)"
    )

    rebuilder_depth: Annotated[
        int, Knob("blocks of the rebuilder", 1, 24, 1, soft_maximum=6, fixed=True)
    ] = 1  # fmt: skip

    def build(self, shape: EncoderShape, seed: int) -> HeadedEncoder:
        """A ViT with a linear head, its frozen average, and a rebuilder.

        Raises:
            BadInput: data with fewer than two classes.
        """
        model = self.classifier(shape, self.name)
        model.rebuilder = Rebuilder(shape.vit, self.rebuilder_depth)
        initialise(model, seed)
        return with_teacher(model)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both terms; `sure` is q, `accuracy` that of whole labelled pictures."""
        own = cast(HeadedEncoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        supervised, right = self.supervised(own, patches, batch)
        wanted, sure = self.taught(cast(HeadedEncoder, own.teacher), patches)
        rebuilt = self.rebuilt(own, own.tokens(patches), mask)
        consistency = sure * F.cross_entropy(own.head(rebuilt.mean(1)).float(), wanted)
        total = supervised + self.weight * consistency
        parts = {"supervised": supervised, "consistency": consistency, "sure": sure}
        return Loss(total, {**parts, "accuracy": right})

    def rebuilt(self, model: HeadedEncoder, features: Tensor, mask: Mask) -> Tensor:
        """Features [b, n, dim] with hidden ones restored from the others; visible ones stay."""
        hidden = flags(mask, features)
        found = cast(Rebuilder, model.rebuilder)(features, hidden)
        return torch.where(hidden.unsqueeze(-1), found.to(features.dtype), features)

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Hits, beside those of the mean of visible features alone and of the whole picture."""
        own, labels = cast(HeadedEncoder, model), cast(Tensor, batch.labels)
        features = own.tokens(patchify(normalise(batch.images), own.encoder.shape.patch))
        weight = (~flags(mask, features)).unsqueeze(-1).to(features.dtype)
        seen = (features * weight).sum(1) / weight.sum(1).clamp_min(1)

        def right(pooled: Tensor) -> Tensor:
            return (own.head(pooled).argmax(1) == labels).double()

        rebuilt = right(self.rebuilt(own, features, mask).mean(1))
        beside = {
            "visible features alone": right(seen),
            "chance": torch.full_like(rebuilt, 1 / cast(nn.Linear, own.head).out_features),
            "whole picture": right(features.mean(1)),
        }
        return {"rebuilt": Measured(rebuilt, beside, higher=True)}
