"""Predict a hand-made description of hidden patches, such as HOG (MaskFeat)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.pictures import pasted
from workbench.objectives.sized import cifar10
from workbench.objectives.targets import TARGETS, Target
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Maskfeat(Objective):
    """Mean squared error to a fixed target of hidden patches; the encoder reads mask tokens.

    `target` is a recipe such as hog(), gray(), edges(), low_pass(cut=0.1) or pixels(); the width of
    the head is that of the target.

    Wei et al., MaskFeat; official files `slowfast/models/masked.py` and `operators.py`.
    """

    paper: ClassVar[str] = "arXiv:2112.09133"
    default_mask: ClassVar[str] = "block(ratio=0.4)"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("maskfeat", 1500, 40_000)

    target: Annotated[str, Knob("recipe of what is predicted")] = "hog()"

    def __post_init__(self) -> None:
        """Check the knobs and the target's recipe, which is kept as it prints."""
        super().__post_init__()
        object.__setattr__(self, "target", str(TARGETS.parse(self.target)))

    @property
    def wanted(self) -> Target:
        """The target."""
        return TARGETS.parse(self.target)

    def build(self, shape: EncoderShape, seed: int) -> TokenEncoder:
        """A ViT with a mask token and a linear head as wide as the target."""
        model = TokenEncoder(shape.vit, self.wanted.width(shape.patch))
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over hidden patches."""
        patch = cast(TokenEncoder, model).encoder.shape.patch
        said = self.predictions(model, batch, mask).float()
        error = (said - self.wanted(batch.images, patch)).square().mean(-1)
        return Loss(mean_where(error, flags(mask, error)))

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """What is said of every patch, [b, n, width of the target]."""
        patches = patchify(normalise(batch.images), cast(TokenEncoder, model).encoder.shape.patch)
        return model(patches, flags(mask, patches))

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The paste-back, for targets that are colours."""
        if not self.wanted.pixels:
            return {}
        said = self.predictions(model, batch, mask)
        return pasted(
            batch.images, cast(TokenEncoder, model).encoder.shape, flags(mask, said), said
        )
