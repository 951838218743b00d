"""Reconstruct pixels while one block follows a block of a larger masked autoencoder (DMAE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch.nn.functional as F
from torch import nn

from workbench.masks import Mask
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.models.teachers import Teacher
from workbench.objectives.decoding import Decoding
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import TeacherName
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Dmae(Decoding, Objective):
    """MAE's loss, and L1 between two normalised features: student block and teacher block.

    Both read the same visible patches and nothing else. The student's feature goes through a linear
    layer; both are brought to length 1. The aligned blocks stand at the same share `depth` of their
    networks (block 17 of 24 and 8 of 12, counted from 0, in the paper). The teacher stops at its
    aligned block, as the paper says and the released code does not: the rest of it costs nothing.
    Class tokens are aligned too where both have them and neither has registers; otherwise patches
    alone are.

    Bai et al., Masked Autoencoders Enable Efficient Knowledge Distillers; official file
    `models_mae_distill.py`.
    """

    paper: ClassVar[str] = "arXiv:2208.12256"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "dmae", 2200, 45_000, large="dmae(decoder_depth=4)"
    )

    teacher: TeacherName = "default"
    depth: Annotated[float, Knob("where the aligned blocks stand, share of the depth", 0, 1)] = 0.75
    align: Annotated[float, Knob("weight of the features", 0, 1000, 0.1, None, 10)] = 1.0

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """A masked autoencoder, a linear layer to the teacher's width, and the teacher."""
        teacher = Teacher(self.teacher, shape.rows, shape.cols)
        model = self.autoencoder(shape)
        model.aligning = nn.Linear(shape.dim, teacher.dim)
        model.initialise(seed)
        model.teacher = teacher
        return model

    def blocks(self, depth: int) -> int:
        """How many blocks of a network of that depth come up to the aligned one, at least 1."""
        return max(1, int(self.depth * depth + 0.5))

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both; the features' part is a mean over tokens and channels."""
        own = cast(MaskedAutoencoder, model)
        teacher = cast(Teacher, own.teacher)
        patches = patchify(normalise(batch.images), own.shape.patch)
        visible, _ = indices(mask, patches)
        states = own.encoder.states(own.encoder.embed(patches, visible))
        latent = own.encoder.norm(states[-1])
        count = self.blocks(teacher.encoder.shape.depth)
        wanted = teacher.states(batch.images, count, visible)[-1].float()
        said = cast(nn.Linear, own.aligning)(states[self.blocks(own.shape.depth) - 1]).float()
        if wanted.shape != said.shape:  # one has other tokens in front
            wanted, said = wanted[:, teacher.prefix :], said[:, own.shape.prefix :]
        align = F.l1_loss(F.normalize(said, dim=-1), F.normalize(wanted, dim=-1))
        pixels = self.pixel_errors(own, patches, latent, mask).mean()
        return Loss(pixels + self.align * align, {"align": align, "pixels": pixels})
