"""Learn the labels: what pretraining without them is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.models.classifier import classifying_convnet, ready
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.objectives.mixing import label_loss, mixed, mixing_share
from workbench.objectives.objective import Batch, EncoderShape, Loss, Measured, Objective, Takes
from workbench.objectives.sized import cifar10
from workbench.params import Knob

# Begins at a run that is to be named: init=run:ID.
FINE_TUNED: Mapping[str, Any] = {
    "init": "run:", "layer_decay": 0.75, "optimiser": "adamw", "lr": 1e-3, "beta2": 0.999,
    "crop": 0.5,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Supervised(Objective):
    """Cross-entropy of a linear head on the mean patch token to the label; nothing is hidden.

    With label smoothing s the target is 1 - s at the label and s spread evenly over all classes, so
    the loss ends at the entropy of that target, not at 0. The `finetune`
    presets begin at the encoder of another run. With `network`, a convnet of timm with its own head
    learns instead: its own size counts, not dim, depth, heads and mlp of the run, and the patch is
    its total stride, so that a network made for large pictures suits small ones.

    Dosovitskiy et al., ViT; official file `vit_jax/train.py` of google-research/vision_transformer.
    """

    paper: ClassVar[str] = "arXiv:2010.11929"
    takes: ClassVar[Takes] = "labelled"
    metric: ClassVar[str] = "share of test pictures told right by the trained head"
    masked: ClassVar[bool] = False
    default_mask: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **cifar10("supervised", 1000, 40_000),
        **cifar10("finetune", 1000, 15_000, **FINE_TUNED),
    }

    smoothing: Annotated[float, Knob("share of a label spread over all classes", 0, 1, 0.05)] = 0.1
    mixup: Annotated[float, Knob("alpha of mixed pictures; 0 for none", 0, 10, 0.1, None, 1)] = 0.0
    network: Annotated[str, Knob("name of a convnet of timm; empty for the run's own ViT")] = ""

    def divides(self) -> bool:
        """Mixing pairs each picture with one from the other end of the whole batch."""
        return self.mixup == 0

    def build(self, shape: EncoderShape, seed: int) -> nn.Module:
        """A ViT with a linear head to the classes, or the convnet.

        Raises:
            BadInput: data with fewer than two classes.
        """
        if shape.classes < 2:
            raise BadInput(
                f"supervised is given {shape.classes} classes, but needs at least 2; take labelled "
                "data, such as digits() or a folder with a subfolder for each class."
            )
        if self.network:
            return classifying_convnet(self.network, shape.patch, shape.classes, seed)
        model = HeadedEncoder(shape.vit, nn.Linear(shape.dim, shape.classes))
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over the batch; `accuracy` is the share of labels found."""
        labels = cast(Tensor, batch.labels)
        share = mixing_share(self.mixup, batch.seed, batch.step)
        said = _said(model, mixed(batch.images, share)).float()
        right = (said.argmax(1) == labels).float().mean()
        total = label_loss(said, labels, self.smoothing, share)
        return Loss(total, {"accuracy": right})

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Hits of the head that was trained, beside chance."""
        said = _said(model, batch.images)
        right = (said.argmax(1) == cast(Tensor, batch.labels)).double()
        chance = torch.full_like(right, 1 / said.shape[1])
        return {"told right": Measured(right, {"chance": chance}, higher=True)}

    def encoder(self, model: nn.Module) -> nn.Module:
        """The ViT without its head; a convnet with it."""
        return model.encoder if isinstance(model, HeadedEncoder) else model

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """The mean of the patch tokens, or of all places of a convnet's last map."""
        if isinstance(model, HeadedEncoder):
            return super().features(model, images)
        return cast(Any, model).forward_features(ready(images)).mean((2, 3))


def _said(model: nn.Module, images: Tensor) -> Tensor:
    """Scores of the classes for pictures in [0, 1], [b, classes]."""
    if not isinstance(model, HeadedEncoder):
        return model(ready(images))
    patches = patchify(normalise(images), model.encoder.shape.patch)
    return model.head(model.pooled(patches))
