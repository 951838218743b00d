"""Say of a masked picture what a teacher says of the whole one (MIC)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.objectives.consistency import Consistency, with_teacher
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, Takes, flags
from workbench.objectives.sized import cifar10


@dataclass(frozen=True, kw_only=True)
class Mic(Consistency, Objective):
    """Cross-entropy on labels + `weight` * q * that of the masked picture to a pseudo-label.

    The teacher, a running average, reads the whole picture; its likeliest class is the
    pseudo-label, and q is the share of the batch of which it is surer than `threshold`. Hidden
    patches of the student's picture are 0 after normalisation, the mean colour. The share
    `labelled` of the pictures, chosen once by their number, has labels; the others teach by
    consistency alone. In a few minutes no teacher is as sure as the default wants: the small
    preset asks for 0.4, and gives half of the labels.

    Hoyer et al., MIC; official files `seg/mmseg/models/uda/masking_consistency_module.py` and
    `masking_transforms.py`. There it adapts a model to another domain, pixel by pixel; here a
    picture has one label, and both parts come from one data set.
    """

    paper: ClassVar[str] = "arXiv:2212.01322"
    takes: ClassVar[Takes] = "labelled"
    default_mask: ClassVar[str] = "bernoulli_blocks(ratio=0.7, unit=1)"
    equal_counts: ClassVar[bool] = False
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "mic", 400, 20_000, small="mic(labelled=0.5, threshold=0.4)"
    )

    def build(self, shape: EncoderShape, seed: int) -> HeadedEncoder:
        """A ViT with a linear head to the classes, and its frozen average.

        Raises:
            BadInput: data with fewer than two classes.
        """
        model = self.classifier(shape, self.name)
        initialise(model, seed)
        return with_teacher(model)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both terms; `sure` is q, `accuracy` that of the student on whole labelled pictures."""
        own = cast(HeadedEncoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        supervised, right = self.supervised(own, patches, batch)
        wanted, sure = self.taught(cast(HeadedEncoder, own.teacher), patches)
        masked = self.predictions(model, batch, mask).float()
        consistency = sure * F.cross_entropy(masked, wanted)
        total = supervised + self.weight * consistency
        parts = {"supervised": supervised, "consistency": consistency, "sure": sure}
        return Loss(total, {**parts, "accuracy": right})

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What the student says of the masked pictures, [b, classes]."""
        own = cast(HeadedEncoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        hidden = flags(mask, patches).unsqueeze(-1)
        return own.head(own.pooled(patches.masked_fill(hidden, 0)))
