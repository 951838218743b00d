"""Mask picture, depth and labels of a scene together and predict each from all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Grid, Mask
from workbench.models.initial import initialise
from workbench.models.patches import denormalise, normalise, patchify, unpatchify
from workbench.models.streams import StreamDecoder, Streams
from workbench.models.targets import patch_targets
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
from workbench.objectives.pictures import coloured, grey, stacked
from workbench.objectives.sized import other
from workbench.params import Knob

PICTURE, DEPTH, LABELS = "picture", "depth", "labels"
MEASURED = {PICTURE: "picture (squared)", DEPTH: "depth (absolute)", LABELS: "labels (wrong)"}


@dataclass(frozen=True, kw_only=True)
class Multimae(DecoderKnobs, NormPix, Objective):
    """Squared error of pictures + absolute error of depth + cross-entropy of labels, hidden only.

    One encoder reads the visible patches of all modalities, each through an embedding of its own
    whose bias tells it apart; a decoder a modality asks all of them. With `norm_pix` a further
    decoder predicts the picture normalised patch by patch, as officially by default. Each term is
    the mean over a row's hidden patches, then over rows that hide any. Labels enter as one plane a
    class (officially through an embedding of 64 numbers at a quarter of the size).

    Bachmann et al., MultiMAE; official files `run_pretraining_multimae.py`, `multimae/multimae.py`,
    `output_adapters.py`, `criterion.py`.
    """

    paper: ClassVar[str] = "arXiv:2204.01678"
    must_hold: ClassVar[tuple[str, ...]] = ("visible",)
    takes: ClassVar[Takes] = "modalities"
    shareable: ClassVar[bool] = False
    default_mask: ClassVar[str] = "dirichlet_budget(ratio=0.8333)"
    frames: ClassVar[str] = "modality band"
    metric: ClassVar[str] = "error of a modality that is hidden whole, told from all the others"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = other(
        "scenes_multimae", 1500, 40_000, "drawn_modalities(count=1000)",
        "drawn_modalities(count=10000)",
    )  # fmt: skip

    decoder_depth: Annotated[
        int, Knob("blocks of each decoder", 1, 48, 1, soft_maximum=12, fixed=True)
    ] = 2

    def modalities(self, shape: EncoderShape) -> tuple[str, ...]:
        """What there is: labels only where the data have classes."""
        return (PICTURE, DEPTH, LABELS) if shape.classes else (PICTURE, DEPTH)

    def grid(self, shape: EncoderShape) -> Grid:
        """A frame of the grid is a modality, in the order of `modalities`."""
        count = len(self.modalities(shape))
        return Grid(shape.rows, shape.cols, patch=shape.patch, frames=count)

    def build(self, shape: EncoderShape, seed: int) -> Streams:
        """The encoder, and in `decoders` one decoder a modality by its name."""
        names = self.modalities(shape)
        channels: dict[str, int] = {PICTURE: 3, DEPTH: 1, LABELS: shape.classes}
        model = Streams(shape.vit, [channels[name] for name in names], named=False)
        heads = {
            name: StreamDecoder(
                shape.vit, self.decoder, len(names), i, shape.patch**2 * channels[name]
            )
            for i, name in enumerate(names)
        }
        if self.norm_pix:
            width = shape.patch**2 * 3
            heads["normalised"] = StreamDecoder(shape.vit, self.decoder, len(names), 0, width)
        model.decoders = nn.ModuleDict(heads)
        model.classes = shape.classes
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """The sum of all terms, and each by its name."""
        said = self._said(model, batch, mask)
        parts = {
            name: _mean(self._errors(model, batch, name, values), self._hidden(mask, batch, name))
            for name, values in said.items()
        }
        return Loss(torch.stack(list(parts.values())).sum(), parts)

    def _hidden(self, mask: Mask, batch: Batch, name: str) -> Tensor:
        """What is hidden of the modality that a decoder predicts, bool [b, n]."""
        order = (PICTURE, DEPTH, LABELS)
        stream = order.index(name) if name in order else 0
        return flags(mask, batch.images).unflatten(1, (mask.grid.frames or 1, -1))[:, stream]

    def _patches(self, model: Streams, batch: Batch) -> dict[str, Tensor]:
        """Every modality as patches; unknown depth is 0 and an unknown label no class."""
        patch, found = model.encoder.shape.patch, batch.extra
        maps = {PICTURE: normalise(batch.images), DEPTH: _depth(batch).nan_to_num(0)}
        if model.classes:
            labels = found[LABELS].long()
            planes = F.one_hot(labels.clamp(0, model.classes), model.classes + 1)
            maps[LABELS] = planes[..., :-1].movedim(-1, 1).float()
        return {name: patchify(values, patch) for name, values in maps.items()}

    def _said(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """What each decoder says of all patches of its modality."""
        own, visible = cast(Streams, model), indices(mask, batch.images)[0]
        latent = own(list(self._patches(own, batch).values()), visible)
        decoders = cast(nn.ModuleDict, own.decoders)
        return {name: each(latent, visible).float() for name, each in decoders.items()}

    def _errors(self, model: nn.Module, batch: Batch, name: str, said: Tensor) -> Tensor:
        """Error of each patch, [b, n]; NaN where depth or label is unknown all over it."""
        own = cast(Streams, model)
        patch = own.encoder.shape.patch
        if name == LABELS:
            labels = patchify(batch.extra[LABELS].unsqueeze(1).float(), patch).long()
            logits = said.unflatten(-1, (patch * patch, -1)).movedim(-1, 1)
            labels = labels.where(labels < own.classes, -1)
            error = F.cross_entropy(logits, labels, ignore_index=-1, reduction="none")
            return _known_mean(error, labels >= 0)
        if name == DEPTH:
            target = patchify(_depth(batch), patch)
            return _known_mean((said - target.nan_to_num(0)).abs(), ~target.isnan())
        target = patchify(normalise(batch.images), patch)
        return (said - patch_targets(target, name != PICTURE)).square().mean(-1)

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """All decoders side by side, [b, n, their widths]."""
        return torch.cat(list(self._said(model, batch, mask).values()), dim=-1)

    def measures(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Measured]:
        """Each modality from all of the others, beside those of another scene, and an average.

        Pictures are squared errors of ImageNet-normalised colours, depth absolute errors of 0 to 1,
        labels the share of wrong pixels. The average is that of the batch's other scenes: the mean,
        for labels the likeliest class of a pixel.
        """
        own = cast(Streams, model)
        swapped = replace(
            batch, images=batch.images.roll(1, 0),
            extra={name: values.roll(1, 0) for name, values in batch.extra.items()},
        )  # fmt: skip
        truth, found = self._patches(own, batch), {}
        for i, name in enumerate(truth):
            alone = mask.hidden.copy()
            alone[:] = False
            alone[:, i] = True
            whole = Mask(alone, mask.grid)
            others = (truth[name].sum(0, keepdim=True) - truth[name]) / max(1, len(batch) - 1)
            guesses = {
                "from another scene": self._said(model, swapped, whole)[name],
                "average of other scenes": others,
            }
            told = self._wrong(own, batch, name, self._said(model, batch, whole)[name])
            beside = {who: self._wrong(own, batch, name, each) for who, each in guesses.items()}
            found[MEASURED[name]] = Measured(told, beside)
        return found

    def _wrong(self, model: Streams, batch: Batch, name: str, said: Tensor) -> Tensor:
        """Error of a whole modality, [b]: the loss's, for labels the share of wrong pixels."""
        if name != LABELS:
            return self._errors(model, batch, name, said).nanmean(1)
        patch, classes = model.encoder.shape.patch, model.classes
        labels = patchify(batch.extra[LABELS].unsqueeze(1).float(), patch).long()
        wrong = said.unflatten(-1, (patch * patch, -1)).argmax(-1) != labels
        return _known_mean(wrong.flatten(1).float(), (labels < classes).flatten(1))

    @property
    def picture_note(self) -> str:
        """Nothing: what is shown is predicted, also beside normalised targets."""
        return ""

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """Modalities below each other: as they are, what was seen of them, and the paste-back."""
        own = cast(Streams, model)
        shape, truth, said = own.encoder.shape, self._patches(own, batch), {}
        for name, values in self._said(model, batch, mask).items():
            if name in truth:
                said[name] = values.where(self._hidden(mask, batch, name)[..., None], truth[name])
        blank = {
            n: v.masked_fill(self._hidden(mask, batch, n)[..., None], 0) for n, v in truth.items()
        }

        def shown(found: Mapping[str, Tensor]) -> Tensor:
            rows: list[Tensor] = []
            for name, patches in found.items():
                whole = unpatchify(patches, shape.rows, shape.cols, shape.patch)
                if name == PICTURE:
                    rows.append(denormalise(whole).clamp(0, 1))
                elif name == DEPTH:
                    rows.append(grey(whole[:, 0]))
                else:
                    none = (whole == 0).all(1, keepdim=True)
                    rows.append(coloured(whole.argmax(1)) * ~none)
            return stacked(torch.stack(rows, dim=1))

        return {"original": shown(truth), "seen": shown(blank), "reconstruction": shown(said)}


def _depth(batch: Batch) -> Tensor:
    return batch.extra[DEPTH].unsqueeze(1).float()


def _known_mean(values: Tensor, known: Tensor) -> Tensor:
    """Mean over the last axis of what is known; NaN where nothing is."""
    count = known.sum(-1)
    mean = (values * known).sum(-1) / count.clamp_min(1)
    return mean.masked_fill(count == 0, torch.nan)


def _mean(errors: Tensor, hidden: Tensor) -> Tensor:
    """Mean over a row's hidden patches with an error, then over rows that have any; 0 for none."""
    where = hidden & ~errors.isnan()
    count = where.sum(1)
    rows = errors.nan_to_num(0).mul(where).sum(1) / count.clamp_min(1)
    return rows.sum() / (count > 0).sum().clamp_min(1)
