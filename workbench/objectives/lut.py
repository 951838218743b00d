"""Reconstruct one view, and let what both views show agree with the whole of the other (LUT)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Mask, Strategy
from workbench.models.averages import cosine_momentum, follow, frozen_copy
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import ViT
from workbench.objectives.decoding import Decoding
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class Lut(Decoding, Objective):
    """MAE on the first of two views; 2 - 2 cos from what each shows to the whole of the other.

    The second view shows as many patches as the first, drawn from those hidden there, so that the
    two show disjoint parts; any mask that hides at least half will do for the first. The mean of
    the visible tokens goes through a head and a predictor; it is compared with the head of the
    running average, which sees all patches of the other view. The two crossed terms are averaged.

    Two-layer heads with layer norm here, batch norm and width 4096 officially. Kim et al., Learning
    with Unmasked Tokens; official files `models/models_lut.py` and `engines/engine_lut.py`.
    """

    paper: ClassVar[str] = "arXiv:2310.13593"
    must_hold: ClassVar[tuple[str, ...]] = ("visible",)
    views: ClassVar[int] = 2
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "lut", 1100, 20_000, large="lut(decoder_depth=4)"
    )

    broader: Annotated[float, Knob("weight of the crossed terms", 0, 100, 0.05, None, 1)] = 0.25
    head_dim: Annotated[
        int, Knob("width inside the heads", 8, 65536, 64, None, 4096, fixed=True)
    ] = 512
    momentum: Momentum = 0.996

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """A masked autoencoder, head and predictor, and frozen averages of encoder and head."""
        model = self.autoencoder(shape)
        head = two_layers(shape.dim, self.head_dim)
        model.head, model.predictor = head, two_layers(shape.dim, self.head_dim)
        model.initialise(seed)
        model.teacher = frozen_copy(nn.ModuleDict({"encoder": model.encoder, "head": head}))
        return model

    def refuses(self, strategy: Strategy) -> str | None:
        """As every objective, and masks that show more than half."""
        ratios = [getattr(strategy.at(p), "ratio", None) for p in strategy.points()]
        least = min((each for each in ratios if each is not None), default=1.0)
        if least < 0.5:
            return (
                f"{strategy.name} hides {least:g} of the patches at some time, and the second view "
                "of lut must show as many others as the first: hide at least half"
            )
        return super().refuses(strategy)

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both; `broader` is the mean of the two crossed terms."""
        own, views = cast(MaskedAutoencoder, model), batch.views
        assert views is not None
        prefix = own.shape.prefix
        one, two = (patchify(normalise(view), own.shape.patch) for view in views)
        visible, hidden = indices(mask, one)
        latent = own.encoder(one, visible)
        second = own.encoder(two, others(batch, visible, hidden))
        pixels = self.pixel_errors(own, one, latent, mask).mean()
        terms: list[Tensor] = []
        for seen, whole in ((latent, two), (second, one)):
            said = cast(nn.Module, own.head)(seen[:, prefix:].mean(1))
            said = cast(nn.Module, own.predictor)(said).float()
            terms.append((2 - 2 * F.cosine_similarity(said, self.whole(own, whole))).mean())
        broader = torch.stack(terms).mean()
        return Loss(pixels + self.broader * broader, {"pixels": pixels, "broader": broader})

    @torch.no_grad()
    def whole(self, model: MaskedAutoencoder, patches: Tensor) -> Tensor:
        """What the averages make of all patches of a view, float32 [b, dim]."""
        teacher = cast(nn.ModuleDict, model.teacher)
        encoder = cast(ViT, teacher["encoder"])
        return teacher["head"](encoder(patches)[:, encoder.shape.prefix :].mean(1)).float()

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the averages."""
        own = cast(MaskedAutoencoder, model)
        teacher = cast(nn.ModuleDict, own.teacher)
        momentum = cosine_momentum(self.momentum, progress)
        follow(teacher["encoder"], own.encoder, momentum)
        follow(teacher["head"], cast(nn.Module, own.head), momentum)


def two_layers(dim: int, hidden: int) -> nn.Sequential:
    """A head from `dim` to `dim`."""
    return nn.Sequential(
        nn.Linear(dim, hidden, bias=False), nn.LayerNorm(hidden), nn.ReLU(),
        nn.Linear(hidden, dim, bias=False),
    )  # fmt: skip


def others(batch: Batch, visible: Tensor, hidden: Tensor) -> Tensor:
    """As many patches as are visible, drawn from the hidden ones, int64 [b, k].

    Raises:
        BadInput: fewer are hidden than are visible.
    """
    k, m = visible.shape[1], hidden.shape[1]
    if k > m:
        raise BadInput(
            f"lut: the mask shows {k} patches and hides {m}, but the second view must show as many "
            "others; take a mask with a ratio of 0.5 or more."
        )
    order = torch.from_numpy(batch.noise.bits(m).argsort(1)[:, :k]).to(hidden.device)
    return hidden.gather(1, order)
