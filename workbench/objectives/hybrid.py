"""Take the last features from one teacher and relations between tokens from another (Hybrid)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.teachers import Teacher
from workbench.models.transformer import Block, ViT, gather_tokens
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import TeacherName
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Hybrid(Objective):
    """Squared error to normalised features of one teacher, plus relations of a masked one.

    A relation is the softmax over tokens of how a token's query meets the keys, or its value the
    values, in one block: the middle one of student and `mim_teacher`. Kullback-Leibler divergences
    from the teacher's, mean over tokens. Whole widths are multiplied, not heads, so that networks
    of other shapes compare, and a rotation of either's feature space changes nothing. The student
    reads visible patches alone; both teachers read the whole picture and are gathered there, so
    there is nothing hidden to say.

    Shi et al., Hybrid Distillation. No code was released: the formulas' details (which block, KL,
    one head) are our reading, and the progressive dropping of redundant tokens is left to the mask.
    The paper's first teacher is CLIP or DeiT; by default both are the bundled encoder.
    """

    paper: ClassVar[str] = "arXiv:2306.15876"
    must_hold: ClassVar[tuple[str, ...]] = ("visible",)
    default_mask: ClassVar[str] = "random(ratio=0.5)"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("hybrid", 950, 25_000)

    teacher: TeacherName = "default"
    mim_teacher: TeacherName = "default"
    relations: Annotated[float, Knob("weight of the relations", 0, 1000, 0.1, None, 10)] = 1.0

    def build(self, shape: EncoderShape, seed: int) -> "Distilled":
        """A ViT, a linear layer to the first teacher's width, and both teachers."""
        teacher = Teacher(self.teacher, shape.rows, shape.cols)
        model = Distilled(shape, teacher.dim)
        initialise(model, seed)
        model.teacher = teacher
        if self.mim_teacher != self.teacher:
            model.mim_teacher = Teacher(self.mim_teacher, shape.rows, shape.cols)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both parts."""
        own = cast(Distilled, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        visible, _ = indices(mask, patches)
        states = own.states(patches, visible)
        said = own.said(states)
        teacher = cast(Teacher, own.teacher)
        mim = teacher if own.mim_teacher is None else own.mim_teacher
        features, entering = taught(teacher, mim, batch.images)
        features = gather_tokens(features.float(), visible)
        error = F.mse_loss(said.float(), F.layer_norm(features, (teacher.dim,)))
        with torch.no_grad():
            theirs = projected(mim.encoder.blocks[middle_of(mim.encoder)], entering, mim.prefix)
        theirs = [gather_tokens(each, visible) for each in theirs]
        middle = middle_of(own.encoder)
        mine = projected(own.encoder.blocks[middle], states[middle], own.encoder.shape.prefix)
        relations = relation_loss(mine, theirs)
        parts = {"features": error, "relations": relations}
        return Loss(error + self.relations * relations, parts)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What the student makes of the visible patches, [b, k, width of the teacher]."""
        own = cast(Distilled, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        return own.said(own.states(patches, indices(mask, patches)[0]))


class Distilled(nn.Module):
    """A student with a linear layer to its teacher's width."""

    def __init__(self, shape: EncoderShape, width: int) -> None:
        super().__init__()
        self.encoder = ViT(shape.vit)
        self.head = nn.Linear(shape.dim, width)
        self.mim_teacher: Teacher | None = None  # one teacher serves for both

    def states(self, patches: Tensor, visible: Tensor) -> list[Tensor]:
        """What enters the first block, then what comes out of each."""
        x = self.encoder.embed(patches, visible)
        return [x, *self.encoder.states(x)]

    def said(self, states: list[Tensor]) -> Tensor:
        """Last features in the teacher's width, [b, k, width]."""
        return self.head(self.encoder.norm(states[-1])[:, self.encoder.shape.prefix :])


def middle_of(encoder: ViT) -> int:
    """The block whose relations are compared, counted from 0."""
    return encoder.shape.depth // 2


@torch.no_grad()
def taught(teacher: Teacher, mim: Teacher, images: Tensor) -> tuple[Tensor, Tensor]:
    """Last features of the first teacher, and what enters the middle block of the second."""
    middle = middle_of(mim.encoder)
    if teacher is not mim or middle == 0:
        return teacher.features(images), mim.entering(images, middle)
    states = teacher.states(images)  # one pass gives both
    return teacher.encoder.norm(states[-1])[:, teacher.prefix :], states[middle - 1]


def projected(block: nn.Module, entering: Tensor, prefix: int) -> list[Tensor]:
    """Queries, keys and values of patches in a block, [b, n, dim] each, of what enters it."""
    own = cast(Block, block)
    return list(own.attn.qkv(own.norm1(entering))[:, prefix:].float().chunk(3, dim=-1))


def relation_loss(mine: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """Mean divergence of the student's relations from the teacher's; q, k, v [b, n, dim] each."""
    total = mine[0].new_zeros((), dtype=torch.float32)
    with torch.autocast(mine[0].device.type, enabled=False):  # near-equal relations need fp32
        for asking, asked in ((0, 1), (2, 2)):
            own, wanted = relation(mine, asking, asked), relation(theirs, asking, asked)
            total = total + (wanted.exp() * (wanted - own)).sum(-1).mean()
    return total / 2


def relation(parts: list[Tensor], asking: int, asked: int) -> Tensor:
    """Logarithms of how one part's tokens meet the other's, float32 [b, n, n]."""
    one, other = parts[asking].float(), parts[asked].float()
    return (one @ other.mT / one.shape[-1] ** 0.5).log_softmax(-1)
