"""Agree with a running average on the class token of another view and on hidden patches (iBOT)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.models.averages import cosine_momentum, follow, frozen_copy
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.prototypes import Centre, PrototypeHead, cross_entropy, entropy
from workbench.models.transformer import ViT
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob

Temperature = Annotated[float, Knob("of the softmax", 1e-3, 10, 0.01, None, 1)]


@dataclass(frozen=True, kw_only=True)
class Ibot(Objective):
    """Cross-entropies to a centred, sharpened average: class tokens across views, patches within.

    The student reads view 1 with mask tokens and view 2 whole; the average reads both whole. Class
    tokens: student of one view against the average of the other, both ways, halved. Patches: those
    hidden in view 1 against the average at the same places of the same view, mean over an image's
    hidden patches, then over images. One head serves class and patch tokens, each with a centre.
    Officially every crop is masked with probability one half; here one of the two always is. No
    small crops, no frozen last layer in the first epoch, and the temperature of the average's
    patches stays, where the official one rises from 0.04 to 0.07 (`teacher_patch_temp`).

    Zhou et al., iBOT; official files `main_ibot.py` and `models/head.py`.
    """

    paper: ClassVar[str] = "arXiv:2111.07832"
    default_mask: ClassVar[str] = "block(ratio=0.3)"
    equal_counts: ClassVar[bool] = False
    views: ClassVar[int] = 2
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "ibot", 500, 15_000, large="ibot(prototypes=8192)", optimiser="adamw", clip=3.0,
        color=0.5,
    )  # fmt: skip

    prototypes: Annotated[
        int, Knob("answers of the head", 2, 65536, 64, None, 8192, fixed=True)
    ] = 1024
    head_dim: Annotated[
        int, Knob("width inside the head", 8, 65536, 64, None, 2048, fixed=True)
    ] = 512
    narrow: Annotated[
        int, Knob("width before the prototypes", 2, 4096, 16, None, 256, fixed=True)
    ] = 128
    student_temperature: Temperature = 0.1
    teacher_temperature: Temperature = 0.04
    patches: Annotated[float, Knob("weight of the hidden patches", 0, 100, 0.1, None, 4)] = 1.0
    momentum: Momentum = 0.996

    def build(self, shape: EncoderShape, seed: int) -> "Agreeing":
        """A ViT with a mask token and a head, and the frozen average of both."""
        model = Agreeing(
            shape, PrototypeHead(shape.dim, self.head_dim, self.narrow, self.prototypes)
        )
        initialise(model, seed)
        kept = {"encoder": model.encoder, "head": model.head}
        model.teacher = frozen_copy(nn.ModuleDict(kept))
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both; `entropy` of the average's answer is 0 or log(prototypes) after a collapse."""
        own, views = cast(Agreeing, model), batch.views
        assert views is not None
        one, two = (patchify(normalise(view), own.encoder.shape.patch) for view in views)
        hidden = flags(mask, one)
        said_one, said_two = own.said(one, hidden), own.said(two, torch.zeros_like(hidden))
        theirs = [own.answers(each) for each in (one, two)]
        warm = self.teacher_temperature
        wanted = [own.class_centre.probabilities(each[:, 0], warm) for each in theirs]
        cool = self.student_temperature
        across = (
            cross_entropy(wanted[1], said_one[:, 0], cool).mean()
            + cross_entropy(wanted[0], said_two[:, 0], cool).mean()
        ) / 2
        targets = own.patch_centre.probabilities(theirs[0][:, 1:], warm)
        within = cross_entropy(targets, said_one[:, 1:], cool) * hidden
        within = (within.sum(1) / hidden.sum(1).clamp_min(1)).mean()
        both = torch.cat(theirs)
        own.class_centre.follow(both[:, 0])
        own.patch_centre.follow(both[:, 1:])
        own_patches = (entropy(targets) * hidden).sum(1) / hidden.sum(1).clamp_min(1)
        classes = (entropy(wanted[0]).mean() + entropy(wanted[1]).mean()) / 2
        floor = classes + self.patches * own_patches.mean()
        parts = {"across": across, "within": within, "entropy": classes, "floor": floor}
        return Loss(across + self.patches * within, parts)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """The student's answers for view 1, [b, 1 + n, prototypes]."""
        own = cast(Agreeing, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        return own.said(patches, flags(mask, patches))

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the averages."""
        own, momentum = cast(Agreeing, model), cosine_momentum(self.momentum, progress)
        follow(own.teacher["encoder"], own.encoder, momentum)
        follow(own.teacher["head"], own.head, momentum)


class Agreeing(nn.Module):
    """A student with its average and the centres of the average's answers."""

    def __init__(self, shape: EncoderShape, head: PrototypeHead) -> None:
        super().__init__()
        if shape.prefix != 1:
            raise BadInput(
                f"ibot compares one class token, but the encoder has {shape.prefix} tokens "
                "in front of the patches; take an encoder with a class token and no registers."
            )
        self.encoder, self.head = ViT(shape.vit), head
        self.mask_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        count = head.prototypes.out_features
        self.class_centre, self.patch_centre = Centre(count), Centre(count)
        self.teacher: nn.ModuleDict = nn.ModuleDict()

    def said(self, patches: Tensor, hidden: Tensor) -> Tensor:
        """Answers of the student, [b, 1 + n, prototypes]."""
        x = self.encoder.embed(patches, hidden=hidden, token=self.mask_token)
        return self.head(self.encoder.norm(self.encoder.states(x)[-1]))

    @torch.no_grad()
    def answers(self, patches: Tensor) -> Tensor:
        """Answers of the average, which sees everything, float32 [b, 1 + n, prototypes]."""
        return self.teacher["head"](self.teacher["encoder"](patches)).float()
