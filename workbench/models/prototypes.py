"""A head that compares tokens with learnt prototypes, and the centring of its teacher."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CENTRE_MOMENTUM = 0.9


class PrototypeHead(nn.Module):
    """Two layers, unit length, then cosines with `count` prototypes (the head of DINO)."""

    def __init__(self, dim: int, hidden: int, narrow: int, count: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, narrow)
        self.prototypes = nn.Linear(narrow, count, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] to cosines [..., count]."""
        x = F.normalize(self.fc2(F.gelu(self.fc1(x))), dim=-1)
        return F.linear(x, F.normalize(self.prototypes.weight, dim=-1))


class Centre(nn.Module):
    """Running mean of a teacher's answers; taking it away keeps one prototype from winning all."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(count))

    @torch.no_grad()
    def probabilities(self, answers: Tensor, temperature: float) -> Tensor:
        """softmax((answers - mean) / temperature), float32 [..., count]."""
        return ((answers.float() - cast(Tensor, self.mean)) / temperature).softmax(-1)

    @torch.no_grad()
    def follow(self, answers: Tensor) -> None:
        """Move the mean towards that of answers [..., count]; in training only."""
        if self.training:
            now = answers.float().flatten(0, -2).mean(0)
            cast(Tensor, self.mean).lerp_(now, 1 - CENTRE_MOMENTUM)


def cross_entropy(wanted: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """-sum wanted * log softmax(answers / temperature) over the last axis, float32."""
    return -(wanted * (answers.float() / temperature).log_softmax(-1)).sum(-1)


def entropy(wanted: Tensor) -> Tensor:
    """Entropy in nats over the last axis of probabilities; no cross-entropy with them is lower."""
    return torch.special.entr(wanted).sum(-1)
