"""Align what the visible patches give with a teacher's layers; nothing is reconstructed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.teachers import Teacher
from workbench.models.transformer import ViT, ViTShape, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import TeacherName
from workbench.params import Knob

MAP = "attention()"
MIXED = 0.01


@dataclass(frozen=True, kw_only=True)
class Maskalign(Objective):
    """Twice the smooth L1 between mixed student layers and normalised teacher layers.

    The student reads the visible patches only; it has no mask token and no decoder. The teacher
    reads the whole picture, and its last `layers` blocks' outputs, normalised without gains, are
    gathered at the same patches. Each is compared with a learnt mixture of all student blocks, at
    first the block as far from the end plus 0.01 of every block, through a linear layer of its own.
    Where student or teacher has fewer blocks than `layers`, so many are compared. Class tokens are
    compared too where both have one. There is nothing hidden to say: what could
    leak is tested as what the student sees.

    By default patches that the teacher attends to are likelier visible. Xue et al., Stare at What
    You See; official file `models_pretrain.py`.
    """

    paper: ClassVar[str] = "arXiv:2211.08887"
    default_mask: ClassVar[str] = 'guided(ratio=0.7, scores="attention()", hide="sample_keep")'
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("maskalign", 550, 35_000)

    teacher: TeacherName = "default"
    layers: Annotated[
        int, Knob("last blocks of the teacher, at most", 1, 128, 1, None, 12, fixed=True)
    ] = 5

    def build(self, shape: EncoderShape, seed: int) -> "Aligned":
        """A ViT without a last norm, the mixture, its linear layers, and the teacher."""
        teacher = Teacher(self.teacher, shape.rows, shape.cols)
        count = min(self.layers, teacher.encoder.shape.depth, shape.depth)
        model = Aligned(replace(shape.vit, final_norm=False), teacher.dim, count)
        initialise(model, seed)
        model.teacher = teacher
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over the aligned layers."""
        own = cast(Aligned, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        visible, _ = indices(mask, patches)
        said, wanted = own(patches, visible), self.wanted(own, batch.images, visible)
        parts = [
            2 * F.smooth_l1_loss(one[:, -two.shape[1] :].float(), two)
            for one, two in zip(said, wanted, strict=True)
        ]
        return Loss(torch.stack(parts).mean())

    def wanted(self, model: "Aligned", images: Tensor, visible: Tensor) -> list[Tensor]:
        """The teacher's layers at the visible patches, float32 [b, (1 +) k, width] each."""
        teacher = cast(Teacher, model.teacher)
        found: list[Tensor] = []
        both = teacher.encoder.shape.class_token and model.encoder.shape.class_token
        for state in teacher.states(images)[-len(model.heads) :]:
            normal = F.layer_norm(state.float(), (teacher.dim,))
            there = gather_tokens(normal[:, teacher.prefix :], visible)
            found.append(torch.cat([normal[:, :1], there], dim=1) if both else there)
        return found

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What the student makes of the visible patches, [layers, b, prefix + k, width]."""
        own = cast(Aligned, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        return torch.stack(own(patches, indices(mask, patches)[0]))

    def maps(
        self, model: nn.Module, batch: Batch, grid: Grid, needs: tuple[str, ...], progress: float
    ) -> Mapping[str, NDArray[Any]]:
        """`attention()` as the teacher of this run gives it, [b, rows, cols]."""
        if MAP not in needs:
            return {}
        found = cast(Teacher, model.teacher).attention(batch.images)
        return {MAP: found.cpu().numpy().reshape(-1, *grid.shape)}


class Aligned(nn.Module):
    """A student, how its blocks are mixed, and a linear layer for each mixture."""

    def __init__(self, shape: ViTShape, width: int, count: int) -> None:
        super().__init__()
        self.encoder = ViT(shape)
        own = torch.eye(shape.depth)[-count:]
        self.mixture = nn.Parameter(own + MIXED)
        self.heads = nn.ModuleList(nn.Linear(shape.dim, width) for _ in range(count))

    def forward(self, patches: Tensor, visible: Tensor) -> list[Tensor]:
        """What is compared with each teacher layer, [b, prefix + k, width] each."""
        states = torch.stack(self.encoder.states(self.encoder.embed(patches, visible)))
        mixed = torch.einsum("ab,b...->a...", self.mixture.to(states.dtype), states)
        return [head(each) for head, each in zip(self.heads, mixed, strict=True)]
