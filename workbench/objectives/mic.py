"""Say of a masked picture what a teacher says of the whole one (MIC)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.models.averages import follow, frozen_copy
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import mean_where
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, Takes, flags
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob
from workbench.seeds import Noise

LABELLED_NOISE = 21


@dataclass(frozen=True, kw_only=True)
class Mic(Objective):
    """Cross-entropy on labels + `weight` * q * that of the masked picture to a pseudo-label.

    The teacher, a running average, reads the whole picture; its likeliest class is the
    pseudo-label, and q is the share of the batch of which it is surer than `threshold`. Hidden
    patches of the student's picture are 0 after normalisation, the mean colour. The share
    `labelled` of the pictures, chosen once by their number, has labels; the others teach by
    consistency alone.

    Hoyer et al., MIC; official files `seg/mmseg/models/uda/masking_consistency_module.py` and
    `masking_transforms.py`. There it adapts a model to another domain, pixel by pixel; here a
    picture has one label, and both parts come from one data set.
    """

    paper: ClassVar[str] = "arXiv:2212.01322"
    takes: ClassVar[Takes] = "labelled"
    default_mask: ClassVar[str] = "bernoulli_blocks(ratio=0.7, unit=1)"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("mic", 400, 20_000)

    labelled: Annotated[float, Knob("share of pictures whose label is used", 0, 1, 0.05)] = 0.1
    weight: Annotated[float, Knob("weight of the consistency", 0, 100, 0.1, None, 4)] = 1.0
    threshold: Annotated[float, Knob("what the teacher must be sure of", 0, 1, 0.01)] = 0.968
    momentum: Momentum = 0.999

    def build(self, shape: EncoderShape, seed: int) -> HeadedEncoder:
        """A ViT with a linear head to the classes, and its frozen average.

        Raises:
            BadInput: data with fewer than two classes.
        """
        if shape.classes < 2:
            raise BadInput(
                f"mic is given {shape.classes} classes, but needs at least 2; take labelled data, "
                "such as digits()."
            )
        model = HeadedEncoder(shape.vit, nn.Linear(shape.dim, shape.classes))
        initialise(model, seed)
        model.teacher = frozen_copy(model)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both terms; `sure` is q, `accuracy` that of the student on whole labelled pictures."""
        own, labels = cast(HeadedEncoder, model), cast(Tensor, batch.labels)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        known = torch.from_numpy(self.known(batch)).to(labels.device)[:, None]
        said = own.head(own.pooled(patches)).float()
        error = F.cross_entropy(said, labels, reduction="none")[:, None]
        right = mean_where((said.argmax(1) == labels).float()[:, None], known)
        supervised = mean_where(error, known)
        wanted, sure = self.taught(cast(HeadedEncoder, own.teacher), patches)
        masked = self.predictions(model, batch, mask).float()
        consistency = sure * F.cross_entropy(masked, wanted)
        total = supervised + self.weight * consistency
        parts = {"supervised": supervised, "consistency": consistency, "sure": sure}
        return Loss(total, {**parts, "accuracy": right})

    def known(self, batch: Batch) -> np.ndarray:
        """Which rows have a label, bool [b]; a picture always or never has one."""
        draws = [Noise(batch.seed, 0, int(row)).branch(LABELLED_NOISE) for row in batch.ids]
        return np.array([each.uniform(1)[0, 0] < self.labelled for each in draws])

    @torch.no_grad()
    def taught(self, teacher: HeadedEncoder, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Pseudo-labels of whole pictures, int64 [b], and the share the teacher is sure of."""
        sure, wanted = teacher.head(teacher.pooled(patches)).float().softmax(1).max(1)
        return wanted, (sure > self.threshold).float().mean()

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What the student says of the masked pictures, [b, classes]."""
        own = cast(HeadedEncoder, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        hidden = flags(mask, patches).unsqueeze(-1)
        return own.head(own.pooled(patches.masked_fill(hidden, 0)))

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the teacher."""
        own = cast(HeadedEncoder, model)
        teacher = cast(HeadedEncoder, own.teacher)
        follow(teacher.encoder, own.encoder, self.momentum)
        follow(teacher.head, own.head, self.momentum)
