"""What objectives on a classifier share: few labels, and a teacher's pseudo-labels for the rest."""

from dataclasses import dataclass
from typing import Annotated, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.averages import follow, frozen_copy
from workbench.models.headed import HeadedEncoder
from workbench.models.token_encoder import mean_where
from workbench.objectives.objective import Batch, EncoderShape
from workbench.objectives.teaching import Momentum
from workbench.params import Knob
from workbench.seeds import Noise

LABELLED_NOISE = 21


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """Knobs of MIC and its kin, the labelled part of their loss, and their teacher."""

    labelled: Annotated[float, Knob("share of pictures whose label is used", 0, 1, 0.05)] = 0.1
    weight: Annotated[float, Knob("weight of the consistency", 0, 100, 0.1, None, 4)] = 1.0
    threshold: Annotated[float, Knob("what the teacher must be sure of", 0, 1, 0.01)] = 0.968
    momentum: Momentum = 0.999

    def classifier(self, shape: EncoderShape, name: str) -> HeadedEncoder:
        """A ViT with a linear head to the classes; weights are not yet set.

        Raises:
            BadInput: data with fewer than two classes.
        """
        if shape.classes < 2:
            raise BadInput(
                f"{name} is given {shape.classes} classes, but needs at least 2; take labelled "
                "data, such as digits() or a folder with a subfolder for each class."
            )
        return HeadedEncoder(shape.vit, nn.Linear(shape.dim, shape.classes))

    def supervised(
        self, model: HeadedEncoder, patches: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy on whole pictures that have a label, and the share told right."""
        labels = cast(Tensor, batch.labels)
        known = torch.from_numpy(self.known(batch)).to(labels.device)[:, None]
        said = model.head(model.pooled(patches)).float()
        error = F.cross_entropy(said, labels, reduction="none")[:, None]
        right = mean_where((said.argmax(1) == labels).float()[:, None], known)
        return mean_where(error, known), right

    def known(self, batch: Batch) -> np.ndarray:
        """Which rows have a label, bool [b]; a picture always or never has one."""
        draws = [Noise(batch.seed, 0, int(row)).branch(LABELLED_NOISE) for row in batch.ids]
        return np.array([each.uniform(1)[0, 0] < self.labelled for each in draws])

    @torch.no_grad()
    def taught(self, teacher: HeadedEncoder, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Pseudo-labels of whole pictures, int64 [b], and the share the teacher is sure of."""
        sure, wanted = teacher.head(teacher.pooled(patches)).float().softmax(1).max(1)
        return wanted, (sure > self.threshold).float().mean()

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the teacher: the mean of all students so far, until `momentum` is slower.

        As the official `teacher_module.py` does; else a short training had its first weights for a
        teacher to the end.
        """
        own = cast(HeadedEncoder, model)
        teacher, followed = cast(HeadedEncoder, own.teacher), cast(Tensor, own.followed)
        followed += 1
        momentum = min(1 - 1 / (int(followed) + 1), self.momentum)
        follow(teacher.encoder, own.encoder, momentum)
        follow(teacher.head, own.head, momentum)


def with_teacher(model: HeadedEncoder) -> HeadedEncoder:
    """Give a classifier its frozen average, encoder and head alone, and the steps it followed."""
    teacher = HeadedEncoder(model.encoder.shape, frozen_copy(model.head))
    teacher.encoder.load_state_dict(model.encoder.state_dict())
    model.teacher = teacher.requires_grad_(False)
    model.register_buffer("followed", torch.zeros((), dtype=torch.int64))
    return model
