"""Predict a frozen teacher's features of hidden patches (EVA)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.teachers import Teacher
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import TeacherName


@dataclass(frozen=True, kw_only=True)
class Eva(Objective):
    """2 - 2 cos between what is said of a hidden patch and what the teacher sees there.

    The teacher is frozen, reads the whole picture and normalises it its own way; the encoder reads
    mask tokens. Values lie in [0, 4] and do not depend on the length of the features. The official
    teacher is CLIP's largest image encoder; here it is any encoder that can be loaded.

    Fang et al., EVA; official repository baaivision/EVA (`EVA-01/eva`).
    """

    paper: ClassVar[str] = "arXiv:2211.07636"
    default_mask: ClassVar[str] = "block(ratio=0.4)"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("eva", 950, 30_000)

    teacher: TeacherName = "default"

    def build(self, shape: EncoderShape, seed: int) -> TokenEncoder:
        """A ViT with a mask token, a linear head to the teacher's width, and the teacher."""
        teacher = Teacher(self.teacher, shape.rows, shape.cols)
        model = TokenEncoder(shape.vit, teacher.dim)
        initialise(model, seed)
        model.teacher = teacher
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden patches."""
        said = self.predictions(model, batch, mask).float()
        wanted = cast(Teacher, model.teacher).features(batch.images).float()
        error = 2 - 2 * F.cosine_similarity(said, wanted, dim=-1)
        return Loss(mean_where(error, flags(mask, error)))

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of every patch, [b, n, width of the teacher]."""
        patches = patchify(normalise(batch.images), cast(TokenEncoder, model).encoder.shape.patch)
        return model(patches, flags(mask, patches))
