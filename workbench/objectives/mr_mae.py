"""Mimic a teacher where the picture is visible, reconstruct it where it is hidden (MR-MAE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

from torch import nn

from workbench.masks import Mask
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.models.teachers import Teacher
from workbench.models.transformer import gather_tokens
from workbench.objectives.decoding import Decoding
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import TeacherName
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class MrMae(Decoding, Objective):
    """Squared error to a frozen teacher's features at visible patches, MAE's at hidden ones.

    The first stands after the encoder, through one linear layer, the second after the decoder: no
    patch has both. The teacher sees the whole picture. The official repository holds checkpoints
    but not this loss; it is built from the paper's description.

    Gao et al., Mimic before Reconstruct; checkpoints at Alpha-VL/ConvMAE.
    """

    paper: ClassVar[str] = "arXiv:2303.05475"
    must_hold: ClassVar[tuple[str, ...]] = ("hidden", "visible")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "mr_mae", 1300, 35_000, large="mr_mae(decoder_depth=4)"
    )

    teacher: TeacherName = "default"
    mimic: Annotated[float, Knob("weight of the features", 0, 100, 0.1, None, 4)] = 1.0
    reconstruct: Annotated[float, Knob("weight of the pixels", 0, 100, 0.1, None, 4)] = 1.0

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """A masked autoencoder, a linear layer to the teacher's width, and the teacher."""
        teacher = Teacher(self.teacher, shape.rows, shape.cols)
        model = self.autoencoder(shape)
        model.mimic = nn.Linear(shape.dim, teacher.dim)
        model.initialise(seed)
        model.teacher = teacher
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both, each a mean over its own patches."""
        own = cast(MaskedAutoencoder, model)
        patches = patchify(normalise(batch.images), own.shape.patch)
        visible, _ = indices(mask, patches)
        latent = own.encoder(patches, visible)
        said = cast(nn.Linear, own.mimic)(latent[:, own.shape.prefix :]).float()
        features = cast(Teacher, own.teacher).features(batch.images).float()
        mimic = (said - gather_tokens(features, visible)).square().mean()
        pixels = self.pixel_errors(own, patches, latent, mask).mean()
        total = self.mimic * mimic + self.reconstruct * pixels
        return Loss(total, {"mimic": mimic, "pixels": pixels})
