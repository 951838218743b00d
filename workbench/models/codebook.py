"""Codes for vectors: k-means centres, which stand in for a learnt tokeniser."""

from typing import cast

import torch
from torch import Tensor, nn

VECTORS_A_CODE = 64  # more do not move the centres, and cost time
CHUNK = 1 << 14
FAR = 1e6  # where codes without vectors stand, so that none is ever the nearest


class Codebook(nn.Module):
    """`count` centres of vectors of width `dim`, fitted once and saved with the model.

    Vectors are standardised, one number at a time, before distances are taken.
    """

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(count, dim))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("spread", torch.ones(dim))

    @property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return cast(Tensor, self.centres), cast(Tensor, self.mean), cast(Tensor, self.spread)

    @torch.no_grad()
    def fit(self, vectors: Tensor, seed: int, rounds: int = 12) -> None:
        """Find the centres by Lloyd's rounds from vectors drawn at random; a code may stay empty.

        Args:
            vectors: float [n, dim]; of more than 64 a code a random part is used.
            seed: decides which vectors are used and start as centres.
            rounds: how often centres move.
        """
        centres, mean, spread = self._parts
        count = len(centres)
        order = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(seed))
        used = vectors[order[: VECTORS_A_CODE * count].to(vectors.device)].float()
        mean.copy_(used.mean(0))
        spread.copy_(used.std(0, correction=0).clamp_min(1e-5))
        used = (used - mean) / spread
        different = torch.unique(used, dim=0)
        keep = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed + 1))
        first = different[keep[:count].to(vectors.device)]
        centres.fill_(FAR)
        centres[: len(first)] = first
        for _ in range(rounds):
            codes = self._nearest(used)
            total = torch.zeros_like(centres).index_add_(0, codes, used)
            members = torch.bincount(codes, minlength=count).unsqueeze(1)
            centres.copy_(torch.where(members > 0, total / members.clamp_min(1), centres))

    @torch.no_grad()
    def codes(self, vectors: Tensor) -> Tensor:
        """Return the nearest centre of each vector: float [..., dim] to int64 [...]."""
        _, mean, spread = self._parts
        with torch.autocast(vectors.device.type, enabled=False):
            flat = (vectors.float().flatten(0, -2) - mean) / spread
            return self._nearest(flat).view(vectors.shape[:-1])

    def used(self) -> Tensor:
        """Which codes stand for vectors, bool [count]; few different vectors leave some over."""
        return self._parts[0].ne(FAR).any(1)

    def vectors(self, codes: Tensor) -> Tensor:
        """Return the centres of codes int64 [...], in the vectors' own units, [..., dim]."""
        centres, mean, spread = self._parts
        return centres[codes] * spread + mean

    def _nearest(self, flat: Tensor) -> Tensor:
        centres = self._parts[0]
        half = centres.square().sum(1) / 2
        return torch.cat([(half - part @ centres.T).argmin(1) for part in flat.split(CHUNK)])
