"""Which places of a map are visible, and all that follows from it, each computed once."""

import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-5  # of the official fill, so that constants come out 1e-5 a round too small


@dataclass(frozen=True)
class Rule:
    """How hiding is carried: `policy` any, all or fixed, `fill` neighbour, zero or renormalise.

    `first` is the mask of the picture, float [b, 1, h, w], 1 = visible.
    """

    policy: str
    fill: str
    first: Tensor


@dataclass(frozen=True)
class Ring:
    """Hidden places that have a known neighbour, by number in a map [b * h * w, c].

    `at` [k] are these places, `near` [m] their known neighbours, those of one place after those of
    the other, `start` [k] where each begins, and `weights` [m] what they are summed with.
    """

    at: Tensor
    near: Tensor
    start: Tensor
    weights: Tensor


class Places:
    """`visible`, float [b, 1, h, w] laid out like the map, 1 = visible, and what follows from it.

    `inside` is 0 where a place is padding, None where there is none. Layers of one shape ask the
    same again and again: maps that see the same share one of these.
    """

    def __init__(self, visible: Tensor, rule: Rule, inside: Tensor | None = None) -> None:
        self.visible, self.rule, self.inside = visible, rule, inside
        self._shares: list[Tensor] = []
        self._edges: list[tuple[Tensor, Tensor]] = []
        self._rings: list[Ring] = []
        self._known = visible.float()  # comparing is slow in bf16
        self._closed = False
        self._onward: dict[Any, Places] = {}
        self._met: dict[int, tuple[weakref.ref[Places], Places]] = {}

    @cached_property
    def full(self) -> bool:
        """Whether nothing is hidden."""
        return self.inside is None and bool(self.visible.all())

    @cached_property
    def seen(self) -> Tensor:
        """Visible places as booleans."""
        return self.visible > 0

    def both(self, other: "Places") -> "Places":
        """Places that are visible in both; one of the two where it says the same already."""
        if other is self:
            return self
        met = self._met.get(id(other))
        if met is not None and met[0]() is other:
            return met[1]
        product = self.visible * other.visible
        if torch.equal(product, self.visible):
            return self
        if self.inside is other.inside and torch.equal(product, other.visible):
            return other
        made = Places(product, self.rule, self.inside)
        self._met[id(other)] = (weakref.ref(other), made)
        return made

    @torch.no_grad()
    def shares(self, rounds: int) -> list[Tensor]:
        """For each round of filling what the sum of 3 x 3 neighbours is multiplied by.

        0 but at the hidden places that have a known neighbour then; fewer rounds where no hole is
        left. Places outside are never filled.
        """
        while len(self._shares) < rounds and not self._closed:
            count = around(self._known)
            edge = (self._known == 0) & (count > 0.5)
            if self.inside is not None:
                edge &= self.inside > 0
            self._closed = not bool(edge.any())
            if not self._closed:
                self._shares.append((edge / (count + EPS)).to(self.visible.dtype))
                self._edges.append((edge[:, 0], self._known[:, 0] > 0))
                self._known = self._known + edge
        return self._shares[:rounds]

    def rings(self, rounds: int) -> list[Ring]:
        """The same places one by one."""
        count = len(self.shares(rounds))
        for edge, known in self._edges[len(self._rings) : count]:
            self._rings.append(_ring(edge, known, self.visible.dtype))
        return self._rings[:count]

    def carried(self, kernel: Any, stride: Any, padding: Any, dilation: Any) -> "Places":
        """Which places are visible behind a window of this shape, by the rule's policy."""
        window = (tuple(kernel), tuple(stride), tuple(padding), tuple(dilation))
        if self.rule.policy != "fixed" and window == ((1, 1), (1, 1), (0, 0), window[3]):
            return self if self.inside is None else Places(self.visible, self.rule)
        if window not in self._onward:
            self._onward[window] = Places(self._behind(*window), self.rule)
        return self._onward[window]

    def _behind(self, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Tensor:
        if self.rule.policy == "fixed":
            sides = zip(self.visible.shape[2:], kernel, stride, padding, dilation, strict=True)
            size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
            return F.interpolate(self.rule.first, size, mode="nearest")
        wide = (padding[1], padding[1], padding[0], padding[0])
        if self.rule.policy == "any":
            return F.max_pool2d(F.pad(self.visible, wide), kernel, stride, 0, dilation)
        hidden = 1 - self.visible
        hidden = hidden if self.inside is None else hidden * self.inside
        return 1 - F.max_pool2d(F.pad(hidden, wide), kernel, stride, 0, dilation)


def filled(values: Tensor, places: Places, rounds: int) -> Tensor:
    """Fill hidden places from their 3 x 3 neighbours, ring by ring, without a gradient.

    Args:
        values: [b, c, h, w], 0 at hidden places; filled in place where no gradient is asked for.
        places: which are visible, and which are padding, never to be filled.
        rounds: rings at most; filling ends before where no hole is left.
    """
    if values.device.type == "cpu" and not torch.is_grad_enabled():
        values = values.contiguous(memory_format=torch.channels_last)
        rows = values.permute(0, 2, 3, 1).view(-1, values.shape[1])
        for ring in places.rings(rounds):
            sums = F.embedding_bag(
                ring.near, rows, ring.start, mode="sum", per_sample_weights=ring.weights
            )
            rows.index_copy_(0, ring.at, sums)
        return values
    for share in places.shares(rounds):
        with torch.no_grad():
            sums = around(values)
        if torch.is_grad_enabled():
            values = values + sums * share
        else:
            values = values.addcmul_(sums, share)
    return values


def _ring(edge: Tensor, known: Tensor, dtype: torch.dtype) -> Ring:
    """Where `edge` is, and its `known` neighbours; both bool [b, h, w]."""
    _, height, width = edge.shape
    image, row, col = (each[:, None] for each in edge.nonzero(as_tuple=True))
    step = torch.arange(9, device=edge.device)
    rows, cols = row + step // 3 - 1, col + step % 3 - 1
    there = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    near = (image * height + rows) * width + cols
    there &= known.flatten()[near.clamp(0, known.numel() - 1)]
    counts = there.sum(1)
    weights = (1 / (counts + EPS)).to(dtype).repeat_interleave(counts)
    at = ((image * height + row) * width + col)[:, 0]
    return Ring(at, near[there], counts.cumsum(0) - counts, weights)


def around(values: Tensor) -> Tensor:
    """Sum of the 3 x 3 places around each place of [b, c, h, w]; beyond the border there is 0.

    On a CPU a pool over few channels takes ten times as long as a convolution of each by itself;
    on a GPU convolutions may round their input. Of one channel shifted copies are quickest.
    """
    if values.shape[1] == 1:
        wide = F.pad(values, (1, 1, 1, 1))
        rows = wide[:, :, :-2] + wide[:, :, 1:-1] + wide[:, :, 2:]
        return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    if values.device.type != "cpu":
        return F.avg_pool2d(values, 3, 1, 1, divisor_override=1)
    channels = values.shape[1]
    return F.conv2d(values, values.new_ones(channels, 1, 3, 3), padding=1, groups=channels)
