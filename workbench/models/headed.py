"""A ViT that reads whole pictures, with a head on its tokens or on their mean."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from workbench.models.patches import normalise, patchify
from workbench.models.transformer import ViT, ViTShape


class HeadedEncoder(nn.Module):
    """A ViT and one head; further parts that an objective needs are set as attributes."""

    def __init__(self, shape: ViTShape, head: nn.Module) -> None:
        super().__init__()
        self.encoder = ViT(shape)
        self.head = head

    def tokens(self, patches: Tensor, visible: Tensor | None = None) -> Tensor:
        """Patch tokens after the last norm, [b, k, dim]; `visible` int64 [b, k], None for all."""
        return self.encoder(patches, visible)[:, self.encoder.shape.prefix :]

    def pooled(self, patches: Tensor, visible: Tensor | None = None) -> Tensor:
        """Mean of the patch tokens, [b, dim]."""
        return self.tokens(patches, visible).mean(1)


def pooled_tokens(encoder: ViT, images: Tensor) -> Tensor:
    """Mean of the patch tokens of whole pictures [b, 3, h, w] in [0, 1], [b, dim]."""
    tokens = encoder(patchify(normalise(images), encoder.shape.patch))
    return tokens[:, encoder.shape.prefix :].mean(1)


@contextmanager
def fresh_weights(seed: int) -> Generator[None]:
    """Let torch's own initialisers depend on `seed` alone, and leave its global numbers alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
