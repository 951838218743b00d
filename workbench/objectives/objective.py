"""What every pretraining objective shares: knobs, a model, a loss, and what the loop asks of it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.masks import Grid, Mask, Strategy
from workbench.models.transformer import ViTShape
from workbench.params import check_width
from workbench.registry import Member
from workbench.seeds import Noise

if TYPE_CHECKING:
    from torch import Tensor, nn

Takes = Literal[
    "images", "labelled", "pairs", "clips", "bands", "modalities", "tasks", "spectrograms"
]
LOSS_NOISE = 11  # a branch of its own: masks draw from branch 0, augmentations from 12


@dataclass(frozen=True, kw_only=True)
class EncoderShape(ViTShape):
    """The encoder that a run asks for, and what is known of its data.

    `classes` is 0 for data without labels, `channels` counts the planes of a picture, `frames` the
    frames of a clip, the views of a pair or the modalities; None where there is no such axis.
    """

    classes: int = 0
    channels: int = 3
    frames: int | None = None

    @property
    def vit(self) -> ViTShape:
        """The plain shape, as checkpoints record it."""
        own = {each.name for each in dataclasses.fields(ViTShape)}
        return ViTShape(**{k: v for k, v in vars(self).items() if k in own})

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures in pixels."""
        return self.rows * self.patch, self.cols * self.patch


@dataclass(frozen=True)
class Batch:
    """One batch on the device.

    `images` is float32 in [0, 1]: [b, 3, h, w] for pictures, [b, frames, 3, h, w] for clips, pairs
    and tasks, [b, c, h, w] for bands, [b, 1, h, w] for spectrograms. `views` is
    [v, b, 3, h, w] for objectives with `views` > 1, each augmented on its own; `images` is the
    first of them. `ids` are row numbers of the data set, int64 [b]; `extra` holds what else the
    data has, by name, [b, ...]. `first` is the number of row 0 in the whole batch, where several
    processes share one.
    """

    images: "Tensor"
    ids: NDArray[np.int64]
    labels: "Tensor | None" = None
    views: "Tensor | None" = None
    extra: "Mapping[str, Tensor]" = field(default_factory=dict)
    seed: int = 0
    step: int = 0
    first: int = 0

    @property
    def noise(self) -> Noise:
        """Noise for the loss, a pure function of (seed, step, row); masks draw from another."""
        return Noise(self.seed, self.step, self.first, len(self.ids)).branch(LOSS_NOISE)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Loss:
    """What a step minimises, a scalar, and its parts by name for the curves (detached there).

    A part called `floor` is what the total cannot go below where that is not 0.
    """

    total: "Tensor"
    parts: "Mapping[str, Tensor | float]" = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """How well one thing was done, row by row: `values` [b] of the network, `beside` of guesses.

    Guesses are named by what they do and stand on the same cells. `higher` says that more is
    better, as for a share of hits; else it is an error. NaN marks a row that has no such thing.
    """

    values: "Tensor"
    beside: "Mapping[str, Tensor]"
    higher: bool = False


@dataclass(frozen=True, kw_only=True)
class Objective(Member):
    """A way to learn from pictures: frozen knobs, a model and a loss; one file each.

    The loop calls `build` once, `prepare` once on a fresh run, then every step `loss` in training
    mode under autocast, the optimiser, and `after_step`. Everything that a run must remember (a
    teacher, a queue, a codebook) is a parameter or buffer of the model: it is saved and restored
    with it. A frozen part has `requires_grad_(False)`. torch's global random numbers are seeded
    from (seed, step) before every `loss`, so a resumed run repeats them.

    `metric` says in a sentence what `measures` finds, where an objective has a measure of its own;
    `evaluate RUN --protocol metric` takes it over the test part, see `runs.measuring`.

    `takes` says what the data must be, `views` how many augmented views of a picture it wants.
    `default_mask` is the recipe it is used with; "" for an objective that hides nothing
    (`masked` is False then, and it is handed a mask with nothing hidden). `equal_counts` refuses
    masks that hide another number of patches in each image; `must_hold` names the kinds of patches,
    "hidden" and "visible", of which every picture must have one. `widths` are pairs of knobs, a
    width of tokens and its heads, that must fit each other. `frames` (several words are several
    choices) and `domain` are those of the strategies it takes, see `Strategy`. `shareable` is False
    where the loss of a batch is not the mean of the losses of its halves (contrast, statistics or
    noise of the batch, counts that differ): processes cannot share such a batch. `presets` are
    training set-ups by name: a `RunConfig`'s fields that differ from their default; the objective
    itself is filled in.
    """

    schedules: ClassVar[bool] = True
    described: ClassVar[tuple[str, ...]] = ("paper", "takes", "default_mask", "metric")
    always_print: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[Takes] = "images"
    views: ClassVar[int] = 1
    masked: ClassVar[bool] = True
    default_mask: ClassVar[str] = "random(ratio=0.75)"
    equal_counts: ClassVar[bool] = True
    must_hold: ClassVar[tuple[str, ...]] = ()
    widths: ClassVar[tuple[tuple[str, str], ...]] = ()
    frames: ClassVar[str] = ""
    domain: ClassVar[str] = ""
    metric: ClassVar[str] = ""
    shareable: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        """Check the knobs, and those that depend on each other.

        Raises:
            BadInput: a value that a knob does not take, or a width that its heads do not divide.
        """
        super().__post_init__()
        for names in self.widths:
            check_width(self.name, getattr(self, names[0]), getattr(self, names[1]), names)

    def build(self, shape: EncoderShape, seed: int) -> "nn.Module":
        """Return the model with freshly initialised weights; equal for equal seeds."""
        raise NotImplementedError

    def loss(
        self, model: "nn.Module", batch: Batch, mask: Mask, step: int, progress: float
    ) -> Loss:
        """Return the loss of one batch; `progress` goes from 0 at the first step to 1."""
        raise NotImplementedError

    def prepare(self, model: "nn.Module", images: "Tensor", seed: int) -> None:
        """Set up what depends on the data, such as a codebook; float32 [n, 3, h, w] in [0, 1]."""

    def after_step(self, model: "nn.Module", progress: float) -> None:
        """Follow the update of the weights; for teachers that average them."""

    def picture(self, model: "nn.Module", batch: Batch, mask: Mask) -> "Mapping[str, Tensor]":
        """Return what to show of a batch, [b, 3, h, w] in [0, 1] by title; {} for nothing.

        Called in evaluation mode without gradients, in fp32.
        """
        return {}

    @property
    def picture_note(self) -> str:
        """What a person must know to judge its pictures, in a sentence; "" for nothing."""
        return ""

    def measures(self, model: "nn.Module", batch: Batch, mask: Mask) -> "Mapping[str, Measured]":
        """Return what `metric` names, by name, the one that counts first; {} without a metric.

        Called in evaluation mode without gradients, in fp32, with test rows as they are and masks
        that depend on the row alone.
        """
        return {}

    def predictions(self, model: "nn.Module", batch: Batch, mask: Mask) -> "Tensor | None":
        """Return what the trained network says of what is hidden, before it is compared.

        Nothing in it may depend on hidden pixels: the contract test changes them and expects the
        same bits. None where an objective promises no such thing; its docstring says why.
        """
        return None

    def encoder(self, model: "nn.Module") -> "nn.Module | None":
        """Return the part that is kept after pretraining; a `ViT` where it is one."""
        return getattr(model, "encoder", None)

    def features(self, model: "nn.Module", images: "Tensor") -> "Tensor":
        """Return what probes look at, [b, d]: the mean of the encoder's patch tokens.

        Args:
            model: in evaluation mode.
            images: float32 [b, 3, h, w] in [0, 1], nothing hidden.
        """
        from workbench.models.headed import pooled_tokens
        from workbench.models.transformer import ViT

        encoder = self.encoder(model)
        if not isinstance(encoder, ViT):
            raise NotImplementedError(f"{self.name} has no ViT: state its features")
        return pooled_tokens(encoder, images)

    def grid(self, shape: EncoderShape) -> Grid:
        """Return the lattice that masks are drawn on."""
        return Grid(
            shape.rows, shape.cols, patch=shape.patch,
            frames=shape.frames if self.frames else None,
        )  # fmt: skip

    def maps(
        self, model: "nn.Module", batch: Batch, grid: Grid, needs: tuple[str, ...], progress: float
    ) -> Mapping[str, NDArray[Any]]:
        """Return the score maps among `needs` that the objective itself knows, [b, *grid.shape].

        For masks that follow the model in training, such as a predicted loss. The others come from
        `workbench.scores`.
        """
        return {}

    def refuses(self, strategy: Strategy) -> str | None:
        """Return why a mask cannot go with it, in a sentence, or None if it can."""
        if not self.masked:
            return f"{self.name} hides nothing, so it takes no mask"
        if strategy.frames and strategy.frames not in self.frames.split():
            return f"{strategy.name} hides by {strategy.frames}, which {self.name} does not have"
        if strategy.domain != self.domain:
            here = self.domain or "picture"
            return (
                f"{strategy.name} hides in another domain than the {here}, where {self.name} does"
            )
        if self.equal_counts and strategy.promise == "free":
            return (
                f"{strategy.name} hides another number of patches in each image, and the encoder "
                f"of {self.name} reads equally many from all of a batch"
            )
        return None

    def divides(self) -> bool:
        """Return whether processes may share a batch, see `shareable`; knobs may forbid it."""
        return self.shareable

    def check(self, mask: Mask) -> None:
        """Refuse a drawn mask that leaves nothing to learn from.

        Raises:
            BadInput: a picture without a patch of a kind in `must_hold`.
        """
        n = mask.grid.size
        fewest = {"hidden": mask.counts.min(), "visible": n - mask.counts.max()}
        for kind in self.must_hold:
            if fewest[kind] == 0:
                raise BadInput(
                    f"{self.name} needs a {kind} patch in every picture, but the mask leaves none "
                    f"of {n} {kind}; take a ratio from {1 / n:.2g} to {1 - 1 / n:.2g} at all times."
                )


def indices(mask: Mask, like: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return visible and hidden patches, int64 [b, k] and [b, n - k], on the device of `like`.

    Raises:
        BadInput: the masks of the batch hide different counts.
    """
    import torch

    visible, hidden = mask.visible_indices(), mask.hidden_indices()
    return torch.from_numpy(visible).to(like.device), torch.from_numpy(hidden).to(like.device)


def flags(mask: Mask, like: "Tensor") -> "Tensor":
    """Return what is hidden, bool [b, cells], row by row, on the device of `like`."""
    import torch

    return torch.from_numpy(mask.hidden.reshape(len(mask), -1).copy()).to(like.device)
