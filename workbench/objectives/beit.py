"""Predict the code of each hidden patch among a vocabulary of k-means centres (BEiT)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.codebook import Codebook
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.teachers import Teacher
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.pictures import pasted
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import TeacherName
from workbench.params import Knob

CODED = ("patches", "features")
CHUNK = 64


@dataclass(frozen=True, kw_only=True)
class Beit(Objective):
    """Cross-entropy over the codes of hidden patches; the encoder reads mask tokens there.

    The official tokeniser is a discrete VAE with 8192 codes that was trained on 250 million
    pictures. Here codes are the nearest of `codes` k-means centres, fitted once before the first
    step on the patches of the run's own data, or on a frozen teacher's features of them.

    Bao et al., BEiT; official file `beit/engine_for_pretraining.py`.
    """

    paper: ClassVar[str] = "arXiv:2106.08254"
    default_mask: ClassVar[str] = "block(ratio=0.4)"
    equal_counts: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "beit", 1200, 40_000, large='beit(codes=2048, coded="features")'
    )

    codes: Annotated[
        int, Knob("codes of the vocabulary", 2, 65536, 64, None, 8192, fixed=True)
    ] = 512  # fmt: skip
    coded: Annotated[
        str, Knob("what the codes are centres of", choices=CODED, fixed=True)
    ] = "patches"  # fmt: skip
    teacher: TeacherName = "default"

    def build(self, shape: EncoderShape, seed: int) -> "CodePredictor":
        """A ViT with a mask token, a linear head to the codes, and an empty vocabulary."""
        source = self.teacher if self.coded == "features" else ""
        model = CodePredictor(shape, self.codes, source)
        initialise(model, seed)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Fit the vocabulary."""
        own = cast(CodePredictor, model)
        parts = [own.coded(images[i : i + CHUNK]) for i in range(0, len(images), CHUNK)]
        own.codebook.fit(torch.cat(parts).flatten(0, 1), seed)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean cross-entropy over hidden patches; `accuracy` is the share of codes found."""
        own = cast(CodePredictor, model)
        said, hidden = self.predictions(model, batch, mask).float(), flags(mask, batch.images)
        wanted = own.codebook.codes(own.coded(batch.images))
        error = F.cross_entropy(said.transpose(1, 2), wanted, reduction="none")
        right = mean_where((said.argmax(-1) == wanted).float(), hidden)
        return Loss(mean_where(error, hidden), {"accuracy": right})

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """Logits of every patch's code, [b, n, codes]."""
        patches = patchify(normalise(batch.images), cast(CodePredictor, model).encoder.shape.patch)
        return model(patches, flags(mask, patches))

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """Likeliest codes as the patches they stand for; {} where they stand for features."""
        if self.coded == "features":
            return {}
        own = cast(CodePredictor, model)
        said = own.codebook.vectors(self.predictions(model, batch, mask).argmax(-1))
        return pasted(batch.images, own.encoder.shape, flags(mask, said), said)


class CodePredictor(TokenEncoder):
    """A token encoder with its vocabulary and, where codes are of features, their maker."""

    def __init__(self, shape: EncoderShape, codes: int, source: str) -> None:
        super().__init__(shape.vit, codes)
        self.teacher = Teacher(source, shape.rows, shape.cols) if source else None
        width = shape.patch**2 * 3 if self.teacher is None else self.teacher.dim
        self.codebook = Codebook(codes, width)

    def coded(self, images: Tensor) -> Tensor:
        """Vectors that codes are given to, [b, n, width], of pictures in [0, 1]."""
        if self.teacher is not None:
            return self.teacher.features(images)
        return patchify(normalise(images), self.encoder.shape.patch)
