"""Tell which patches a small generator has replaced (the idea of ELECTRA on pictures)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.codebook import Codebook
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.patches import denormalise, normalise, patchify, unpatchify
from workbench.models.token_encoder import TokenEncoder, mean_where
from workbench.models.transformer import ViTShape
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, flags
from workbench.objectives.sized import cifar10
from workbench.params import Knob

MULTIPLE, EPS = 4, 1e-6
Weight = Annotated[float, Knob("weight of the discriminator's loss", 0, 1000, 1, None, 100)]


@dataclass(frozen=True, kw_only=True)
class Electra(Objective):
    """Generator: codes of hidden patches. Discriminator: original or replaced, for every patch.

    The generator, half as wide and deep, reads mask tokens and says a k-means code for each hidden
    patch; a code is drawn from that. A right guess leaves the patch as it was, and it counts as
    original; a wrong one puts a patch of the batch that has the drawn code in its place (the code's
    centre if there is none), so that its texture does not give it away. No gradient goes through
    the draw. Total = generator + `weight` * discriminator; the discriminator is what is kept.

    Clark et al., ELECTRA; official file `run_pretraining.py` of google-research/electra, for text.
    On pictures no official code exists: this is our reading.
    """

    paper: ClassVar[str] = "arXiv:2003.10555"
    default_mask: ClassVar[str] = "random(ratio=0.4)"
    equal_counts: ClassVar[bool] = False
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("electra", 1000, 30_000)

    codes: Annotated[
        int, Knob("codes of the vocabulary", 2, 65536, 64, None, 8192, fixed=True)
    ] = 512  # fmt: skip
    weight: Weight = 50.0

    def build(self, shape: EncoderShape, seed: int) -> "Detector":
        """The discriminator with its head, the generator, and an empty vocabulary."""
        model = Detector(shape.vit, self.codes)
        initialise(model, seed)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Fit the vocabulary to the patches of the data."""
        own = cast(Detector, model)
        own.codebook.fit(patchify(normalise(images), own.encoder.shape.patch).flatten(0, 1), seed)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both losses; `accuracy` is the share of right verdicts, `replaced` that of patches."""
        own, hidden = cast(Detector, model), flags(mask, batch.images)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        true = own.codebook.codes(patches)
        said = self.predictions(model, batch, mask).float()
        guessing = F.cross_entropy(said.transpose(1, 2), true, reduction="none")
        generator = mean_where(guessing, hidden)
        shown, replaced = own.corrupted(patches, true, drawn(own.known(said.detach())), hidden)
        verdict = own.head(own.tokens(shown)).squeeze(-1).float()
        detector = F.binary_cross_entropy_with_logits(verdict, replaced.float())
        right = ((verdict > 0) == replaced).float().mean()
        parts = {"generator": generator, "detector": detector, "accuracy": right}
        total = generator + self.weight * detector
        return Loss(total, {**parts, "replaced": replaced.float().mean()})

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """The generator's logits of every patch's code, [b, n, codes]."""
        own = cast(Detector, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        return own.generator(patches, flags(mask, patches))

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The picture, what the discriminator reads, and the patches that it takes for replaced."""
        own, hidden = cast(Detector, model), flags(mask, batch.images)
        shape = own.encoder.shape
        patches = patchify(normalise(batch.images), shape.patch)
        codes = own.known(self.predictions(model, batch, mask)).argmax(-1)
        shown, _ = own.corrupted(patches, own.codebook.codes(patches), codes, hidden)
        found = (own.head(own.tokens(shown)) > 0).to(shown.dtype).expand_as(shown)
        seen, marked = (unpatchify(x, shape.rows, shape.cols, shape.patch) for x in (shown, found))
        seen = denormalise(seen).clamp(0, 1)
        return {"original": batch.images, "seen": seen, "taken for replaced": marked}


class Detector(HeadedEncoder):
    """The discriminator, its generator and the vocabulary between them."""

    def __init__(self, shape: ViTShape, codes: int) -> None:
        super().__init__(shape, nn.Linear(shape.dim, 1))
        self.generator = TokenEncoder(half(shape), codes)
        self.codebook = Codebook(codes, shape.patch**2 * 3)

    def known(self, logits: Tensor) -> Tensor:
        """Logits [..., codes], -inf where no patch has the code: there is nothing to put in."""
        return logits.masked_fill(~self.codebook.used(), float("-inf"))

    @torch.no_grad()
    def corrupted(
        self, patches: Tensor, true: Tensor, guessed: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Put patches of guessed codes where the guess is wrong.

        Args:
            patches: [b, n, p].
            true: their codes, int64 [b, n].
            guessed: codes, int64 [b, n]; read where hidden.
            hidden: bool [b, n].

        Returns:
            What the discriminator reads [b, n, p], and what was replaced, bool [b, n].
        """
        replaced = hidden & (guessed != true)
        flat, codes = patches.flatten(0, 1), true.flatten()
        order = torch.randperm(len(codes), device=codes.device)
        order = order[codes[order].argsort(stable=True)]  # by code, at random within each
        count = torch.bincount(codes, minlength=len(cast(Tensor, self.codebook.centres)))
        first = count.cumsum(0) - count
        wanted = guessed[replaced]
        pick = (torch.rand(len(wanted), device=codes.device) * count[wanted]).long()
        at = (first[wanted] + pick).clamp_max(len(codes) - 1)
        centres = self.codebook.vectors(wanted).to(flat.dtype)
        there = (count[wanted] > 0).unsqueeze(-1)
        out = patches.clone()
        out[replaced] = torch.where(there, flat[order[at]], centres)
        return out, replaced


def drawn(logits: Tensor) -> Tensor:
    """Draw a class from logits [b, n, codes] (the Gumbel trick), int64 [b, n]."""
    noise = -torch.log(-torch.log(torch.rand_like(logits).clamp(EPS, 1 - EPS)))
    return (logits + noise).argmax(-1)


def half(shape: ViTShape) -> ViTShape:
    """A ViT of half the width and depth; positions want a width that 4 divides."""
    dim = max(MULTIPLE, shape.dim // 2 // MULTIPLE * MULTIPLE)
    heads = next(h for h in range(shape.heads, 0, -1) if dim % h == 0)
    depth, hidden = max(1, shape.depth // 2), max(1, shape.hidden // 2)
    return replace(shape, dim=dim, heads=heads, depth=depth, hidden=hidden)
