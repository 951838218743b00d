"""Complete a masked view of a scene with the help of another, whole one (CroCo)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.targets import patch_statistics, patch_targets
from workbench.models.transformer import gather_tokens
from workbench.models.two_views import TwoViews
from workbench.objectives.decoding import DecoderKnobs, NormPix
from workbench.objectives.objective import (
    Batch,
    EncoderShape,
    Loss,
    Measured,
    Objective,
    Takes,
    flags,
    indices,
)
from workbench.objectives.pictures import pasted
from workbench.objectives.sized import other


@dataclass(frozen=True, kw_only=True)
class Croco(DecoderKnobs, NormPix, Objective):
    """Mean squared error on hidden patches of the first view; the second is always whole.

    One encoder reads the visible patches of the first view and all of the second; the decoder's
    tokens of the first ask each other, then those of the second. With `norm_pix` each target patch
    is normalised by its own mean and variance. The mask is that of the first view: any strategy
    goes with it, and of the second nothing can be hidden.

    Weinzaepfel et al., CroCo; official files `models/croco.py`, `masking.py`, `criterion.py`. Its
    pairs come from rendered rooms; ours are homographies of photos and drawn stereo pairs.
    """

    paper: ClassVar[str] = "arXiv:2210.10716"
    must_hold: ClassVar[tuple[str, ...]] = ("hidden",)
    takes: ClassVar[Takes] = "pairs"
    default_mask: ClassVar[str] = "cross_view(ratio=0.9)"
    frames: ClassVar[str] = "view"
    metric: ClassVar[str] = (
        "squared error on hidden patches of the first view, with the right second view and others"
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "pairs_croco", 2000, 40_000, "drawn_pairs(count=2000)", "drawn_pairs(count=20000)",
        size=48, patch=6,
    )  # fmt: skip

    def build(self, shape: EncoderShape, seed: int) -> TwoViews:
        """One ViT for both views and a decoder with cross-attention."""
        model = TwoViews(shape.vit, self.decoder)
        initialise(model, seed)
        return model

    def grid(self, shape: EncoderShape) -> Grid:
        """The first view alone."""
        return Grid(shape.rows, shape.cols, patch=shape.patch)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """The second view has no target."""
        return Loss(self._errors(model, batch, mask, batch.images[:, 1]).mean())

    def _errors(self, model: nn.Module, batch: Batch, mask: Mask, second: Tensor) -> Tensor:
        """Mean squared error of each row's hidden patches, [b], with a second view."""
        hidden = indices(mask, batch.images)[1]
        patches = self._patches(model, batch.images[:, 0])
        said = gather_tokens(self._said(model, batch, mask, second), hidden).float()
        target = patch_targets(gather_tokens(patches, hidden), self.norm_pix)
        return (said - target).square().mean((1, 2))

    def _patches(self, model: nn.Module, view: Tensor) -> Tensor:
        return patchify(normalise(view), cast(TwoViews, model).encoder.shape.patch)

    def _said(self, model: nn.Module, batch: Batch, mask: Mask, second: Tensor) -> Tensor:
        own, visible = cast(TwoViews, model), indices(mask, batch.images)[0]
        first = self._patches(model, batch.images[:, 0])
        return own(first, self._patches(model, second), visible)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """All patches of the first view, [b, n, patch * patch * 3]."""
        return self._said(model, batch, mask, batch.images[:, 1])

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Errors beside those with another row's second view, and with the first view itself."""
        views = batch.images[:, 1]
        beside = {
            "wrong second view": self._errors(model, batch, mask, views.roll(1, 0)),
            "mean of the patch" if self.norm_pix else "mean colour": self._flat(model, batch, mask),
            "first view itself": self._errors(model, batch, mask, batch.images[:, 0]),
        }
        return {"right second view": Measured(self._errors(model, batch, mask, views), beside)}

    def _flat(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """The error of 0: the mean of each patch where they are normalised."""
        patches = self._patches(model, batch.images[:, 0])
        hidden = indices(mask, batch.images)[1]
        target = patch_targets(gather_tokens(patches, hidden), self.norm_pix)
        return target.square().mean((1, 2))

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The first view, what was seen of it, the second view, and the paste-back.

        With `norm_pix` the true mean and spread of each hidden patch are put back.
        """
        said = self.predictions(model, batch, mask).float()
        patches = self._patches(model, batch.images[:, 0])
        if self.norm_pix:
            mean, spread = patch_statistics(patches)
            said = said * spread + mean
        shape = cast(TwoViews, model).encoder.shape
        shown = pasted(batch.images[:, 0], shape, flags(mask, patches), said)
        return {
            "first view": shown["original"],
            "seen": shown["seen"],
            "second view": batch.images[:, 1],
            "reconstruction": shown["reconstruction"],
        }

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Mean patch token of a picture [b, 3, h, w], or of the first view of a pair."""
        view = images[:, 0] if images.ndim == 5 else images
        return cast(TwoViews, model).tokens(self._patches(model, view)).mean(1)
