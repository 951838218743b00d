"""Bands and spectrograms in units of their own spread, known from the training data."""

import torch
from torch import Tensor, nn


class Standard(nn.Module):
    """(x - mean) / spread, one number of each a channel; buffers, so that a run remembers them."""

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((channels, 1, 1), 0.5))
        self.register_buffer("spread", torch.full((channels, 1, 1), 0.25))

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Take mean and spread from pictures [n, c, h, w]; a constant channel has spread 1e-3."""
        values = images.double().transpose(0, 1).flatten(1)
        self.mean.copy_(values.mean(1)[:, None, None])
        self.spread.copy_(values.std(1).clamp_min(1e-3)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """[b, c, h, w] in [0, 1] to units of the spread."""
        return (images - self.mean) / self.spread

    def undone(self, values: Tensor) -> Tensor:
        """Undo `forward`; values are not clipped."""
        return values * self.spread + self.mean
