"""A model opened for looking inside: tokens, attention maps and gradients of whole pictures.

The copy that answers quickly (`prepared`) has no gradients and gives no maps; a tap works on the
weights as they were stored, in single precision, and leaves nothing behind on them.
"""

import copy
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import IMAGENET_MEAN, IMAGENET_STD, patchify
from workbench.models.precision import threads_for
from workbench.models.reconstruction import Reconstructor
from workbench.models.targets import patch_targets
from workbench.models.transformer import ViT, gather_tokens


@dataclass(frozen=True)
class Seen:
    """What an encoder made of pictures.

    `tokens` are [b, prefix + k, dim]; `attention` is the map of one block, [b, heads, prefix + k,
    prefix + k]: rows ask, columns are asked, and each row sums to 1.
    """

    tokens: Tensor
    attention: Tensor


@dataclass(frozen=True)
class Tap:
    """An encoder, its decoder if there is one, and how pictures are made ready for it."""

    encoder: ViT
    whole: MaskedAutoencoder | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    norm_pix: bool
    hash: str
    device: torch.device

    @property
    def grid(self) -> Grid:
        """The patch grid of its own pictures."""
        shape = self.encoder.shape
        return Grid(shape.rows, shape.cols, patch=shape.patch)

    @property
    def prefix(self) -> int:
        """Number of tokens in front of the patches."""
        return self.encoder.shape.prefix

    def work(self, images: int) -> float:
        """Multiply-adds of encoding so many whole pictures on the CPU, roughly."""
        weights = sum(p.numel() for p in self.encoder.parameters())
        return float(weights * self.grid.size * images) if self.device.type == "cpu" else 0.0

    def patches(self, images: NDArray[np.float32]) -> Tensor:
        """Normalised patches [b, n, p] of float32 [b, 3, h, w] in [0, 1], brought to its size."""
        pictures = torch.from_numpy(np.array(images, np.float32)).to(self.device)
        pictures = resized(pictures, self.grid.pixels)
        mean, std = (pictures.new_tensor(x).view(1, 3, 1, 1) for x in (self.mean, self.std))
        return patchify((pictures - mean) / std, self.grid.patch)

    def see(self, patches: Tensor, block: int = -1, visible: Tensor | None = None) -> Seen:
        """Encode all patches, or the visible ones, and keep one block's attention map.

        Args:
            patches: [b, n, p], see `patches`.
            block: which block, 0 the first, -1 the last.
            visible: int64 [b, k] indices, or None for all.

        Raises:
            BadInput: there is no such block.
        """
        self.check_block(block)
        maps: list[Tensor] = []
        tokens = self.encoder(patches, visible, maps)
        return Seen(tokens, maps[block])

    def check_block(self, block: int) -> None:
        """BadInput where the encoder has no such block."""
        depth = self.encoder.shape.depth
        if not -depth <= block < depth:
            raise BadInput(
                f"block is {block}, but the model has {depth} blocks; "
                f"take one from 0 to {depth - 1}, or -1 for the last."
            )

    def autoencoder(self) -> MaskedAutoencoder:
        """The whole model; BadInput where there is no decoder."""
        if self.whole is None:
            raise BadInput(
                "the model is an encoder without a decoder, so it has no reconstruction loss; "
                "take one that reconstructs, such as default."
            )
        return self.whole

    def loss(
        self, patches: Tensor, visible: Tensor, hidden: Tensor, block: int = -1
    ) -> tuple[Tensor, Tensor]:
        """The training loss of each picture, mean over its hidden patches, and what led to it.

        Targets carry no gradient: what the loss has comes from the visible patches alone.

        Args:
            patches: [b, n, p], see `patches`.
            visible: int64 [b, k].
            hidden: int64 [b, n - k].
            block: whose attention map to return.

        Returns:
            Losses [b], and the map [b, heads, prefix + k, prefix + k] that is part of their graph.

        Raises:
            BadInput: no decoder, or no such block.
        """
        model = self.autoencoder()
        self.check_block(block)
        maps: list[Tensor] = []
        said = model(patches, visible, hidden, maps=maps)
        wanted = patch_targets(gather_tokens(patches.detach(), hidden), self.norm_pix)
        return (said - wanted).square().mean(dim=(1, 2)), maps[block]


_taps: WeakKeyDictionary[Reconstructor, Tap] = WeakKeyDictionary()


def tap(model: "Reconstructor | ViT") -> Tap:
    """Open a loaded model; its stored weights are read once more, and kept while the model lives.

    Raises:
        BadInput: the file is not there any more, or was changed.
    """
    if isinstance(model, ViT):
        device = model.pos_embed.device
        if model.pos_embed.dtype != torch.float32:  # files hold half precision; theirs stays so
            model = copy.deepcopy(model).float()
        return Tap(model, None, IMAGENET_MEAN, IMAGENET_STD, False, "", device)
    found = _taps.get(model)
    if found is None:
        stored = model.reread()
        own = stored.model.to(model.device, torch.float32).eval().requires_grad_(False)
        found = Tap(
            own.encoder, own, stored.mean, stored.std, model.norm_pix, model.hash, model.device
        )
        _taps[model] = found
    return found


def resized(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring [b, 3, h, w] to another height and width; the same size is left as it is."""
    if tuple(pictures.shape[2:]) == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)


@contextmanager
def quietly(work: float) -> Generator[None]:
    """Run without gradients, on as many threads as pay."""
    with threads_for(work), torch.no_grad():
        yield
