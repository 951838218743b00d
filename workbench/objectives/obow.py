"""Guess which visual words a teacher finds in the whole picture (OBoW)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.models.averages import cosine_momentum, follow, frozen_copy
from workbench.models.headed import HeadedEncoder, fresh_weights
from workbench.models.initial import initialise
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import ViT
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.objectives.teaching import Momentum
from workbench.params import Knob

EPS = 1e-8
WINDOW = 3  # patches along a side of what a word is averaged over


@dataclass(frozen=True, kw_only=True)
class Obow(Objective):
    """KL divergence between the bag of words of the whole picture and what its visible part says.

    Words are teacher features, averaged over 3 x 3 patches, in a queue that gets one of each
    picture after every step. A patch belongs to words by softmax(-sharpness d / mean of the
    smallest d), d the squared distance; the bag is the largest share of each word over the inner
    patches, divided by its sum. The student's weight of a word is made from the word by a small
    network, so the vocabulary may change: scores are kappa times the student's feature along a
    weight of unit length. Two levels, the teacher's last block and the one before. The teacher
    follows with a momentum from `momentum` to 1 on half a cosine and reads one view, the student
    the visible patches of the other.

    Gidaris et al., Online Bag-of-Visual-Words Generation; official file `obow/builder_obow.py`. Its
    student reads crops; that a mask takes their place is our reading. Other than there, the mean of
    the smallest d is that of this batch, not a running one; the maker of weights has no batch norm;
    the queue takes patches of the border, too; and its length need not divide by the batch.
    """

    paper: ClassVar[str] = "arXiv:2012.11552"
    must_hold: ClassVar[tuple[str, ...]] = ("visible",)
    views: ClassVar[int] = 2
    default_mask: ClassVar[str] = "random(ratio=0.5)"
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "obow", 700, 25_000, small="obow(words=2048)", large="obow(words=8192)"
    )

    words: Annotated[
        int, Knob("words of the vocabulary", 2, 65536, 64, None, 8192, fixed=True)
    ] = 1024  # fmt: skip
    sharpness: Annotated[float, Knob("inverse temperature of words", 0.1, 1000, 1, None, 50)] = 15.0
    kappa: Annotated[float, Knob("scale of the student's scores", 0.1, 1000, 0.5, None, 30)] = 8.0
    momentum: Momentum = 0.99

    def build(self, shape: EncoderShape, seed: int) -> "BagGuesser":
        """A ViT, its frozen average, a vocabulary and a weight maker a level.

        Raises:
            BadInput: fewer than 3 x 3 patches, which words are averaged over.
        """
        if min(shape.rows, shape.cols) < WINDOW:
            height, width = shape.size
            raise BadInput(
                f"obow averages words over 3 x 3 patches, but pictures of {height} x {width} "
                f"pixels have {shape.rows} x {shape.cols}; take size={WINDOW * shape.patch} or "
                "more, or a smaller patch."
            )
        with fresh_weights(seed):
            model = BagGuesser(shape, self.words)
        initialise(model, seed)
        model.teacher = frozen_copy(model.encoder)
        return model

    def prepare(self, model: nn.Module, images: Tensor, seed: int) -> None:
        """Fill the vocabulary with features of the data, drawn at random."""
        own = cast(BagGuesser, model)
        generator = torch.Generator().manual_seed(seed)
        parts = [own.seen(images[i : i + 64]) for i in range(0, len(images), 64)]
        for level, vocabulary in enumerate(own.vocabularies()):
            found = torch.cat([averaged(part[level]).flatten(0, 1) for part in parts])
            order = torch.randint(len(found), (self.words,), generator=generator)
            if len(found) >= self.words:
                order = torch.randperm(len(found), generator=generator)[: self.words]
            vocabulary.copy_(found[order.to(found.device)])

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Mean over batch and levels; `perplexity` of the mean bag is 1 in a collapse."""
        own = cast(BagGuesser, model)
        said = self.predictions(model, batch, mask).log_softmax(-1)
        whole = batch.images if batch.views is None else batch.views[0]
        maps, perplexity = own.seen(whole), torch.zeros((), device=said.device)
        total = torch.zeros_like(perplexity)
        for level, (x, vocabulary) in enumerate(zip(maps, own.vocabularies(), strict=True)):
            wanted = bag(x[:, 1:-1, 1:-1].flatten(1, 2), vocabulary, self.sharpness)
            total = total + F.kl_div(said[level], wanted, reduction="batchmean")
            mean = wanted.mean(0)
            perplexity = perplexity + (-(mean * (mean + EPS).log()).sum()).exp() / len(maps)
        own.note(maps)
        return Loss(total / len(maps), {"perplexity": perplexity})

    def predictions(self, model: nn.Module, batch: Batch, mask: Mask) -> Tensor:
        """The student's scores of the words, float32 [levels, b, words]."""
        own = cast(BagGuesser, model)
        images = batch.images if batch.views is None else batch.views[-1]
        patches = patchify(normalise(images), own.encoder.shape.patch)
        pooled = own.head(own.pooled(patches, indices(mask, patches)[0]))
        both = zip(own.makers, own.vocabularies(), strict=True)
        made = torch.stack([weights(maker, words) for maker, words in both]).float()
        with torch.autocast(pooled.device.type, enabled=False):
            return self.kappa * pooled.float() @ made.transpose(1, 2)

    def after_step(self, model: nn.Module, progress: float) -> None:
        """Move the teacher and the vocabularies."""
        own = cast(BagGuesser, model)
        follow(cast(ViT, own.teacher), own.encoder, cosine_momentum(self.momentum, progress))
        own.renew()


class BagGuesser(HeadedEncoder):
    """Student, teacher, and for each of the two levels a queue of words and a maker of weights."""

    LEVELS = 2

    def __init__(self, shape: EncoderShape, words: int) -> None:
        super().__init__(shape.vit, nn.Linear(shape.dim, shape.dim))
        d = shape.dim
        self.levels = min(self.LEVELS, shape.depth)
        for level in range(self.levels):
            self.register_buffer(f"words_{level}", torch.randn(words, d))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))
        self.makers = nn.ModuleList(
            nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
            for _ in range(self.levels)
        )
        self._new: list[Tensor] = []

    def vocabularies(self) -> list[Tensor]:
        """The words of each level, [words, dim]."""
        return [cast(Tensor, getattr(self, f"words_{level}")) for level in range(self.levels)]

    @torch.no_grad()
    def seen(self, images: Tensor) -> list[Tensor]:
        """The teacher's maps of whole pictures, last block first, [b, rows, cols, dim]."""
        teacher = cast(ViT, self.teacher)
        shape = teacher.shape
        x = teacher.embed(patchify(normalise(images), shape.patch))
        last = teacher.states(x)[-self.levels :][::-1]
        maps = [F.layer_norm(each[:, shape.prefix :].float(), (shape.dim,)) for each in last]
        return [each.unflatten(1, (shape.rows, shape.cols)) for each in maps]

    @torch.no_grad()
    def note(self, maps: list[Tensor]) -> None:
        """Remember one averaged feature of each picture for the queue."""
        means = [averaged(each) for each in maps]
        b, n, _ = means[0].shape
        pick = torch.randint(n, (b, 1, 1), device=means[0].device)
        self._new = [each.gather(1, pick.expand(-1, 1, each.shape[2]))[:, 0] for each in means]

    @torch.no_grad()
    def renew(self) -> None:
        """Let the newest features take the places of the oldest words."""
        oldest = cast(Tensor, self.oldest)
        for words, new in zip(self.vocabularies(), self._new, strict=False):
            at = (oldest + torch.arange(len(new), device=words.device)) % len(words)
            words[at[-len(words) :]] = new[-len(words) :]
        if self._new:
            oldest.copy_((oldest + len(self._new[0])) % len(self.vocabularies()[0]))
        self._new = []


def averaged(maps: Tensor) -> Tensor:
    """Means over 3 x 3 patches, [b, rows, cols, dim] to [b, (rows - 2) * (cols - 2), dim]."""
    return F.avg_pool2d(maps.permute(0, 3, 1, 2), WINDOW, 1).flatten(2).transpose(1, 2)


def weights(maker: nn.Module, words: Tensor) -> Tensor:
    """The student's weights of words, each of unit length, [words, dim]."""
    return F.normalize(maker(F.normalize(words, dim=1)), dim=1)


@torch.no_grad()
def bag(features: Tensor, words: Tensor, sharpness: float) -> Tensor:
    """Bag of words of patches [b, n, dim]: [b, words], not negative, rows add up to 1."""
    with torch.autocast(features.device.type, enabled=False):
        flat = features.flatten(0, 1)  # one product for all pictures: 0.4 of the time of cdist
        squares = flat.square().sum(1, keepdim=True) + words.square().sum(1)
        distance = (squares - 2 * flat @ words.T).clamp_min(0).unflatten(0, features.shape[:2])
        scale = sharpness / distance.min(2).values.mean().clamp_min(EPS)
        share = (-scale * distance).softmax(2).max(1).values
    return share / share.sum(1, keepdim=True)
