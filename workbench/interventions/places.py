"""Which places of a map are visible, and all that follows from it, each computed once."""

import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

FEW = 4  # channels: adding up all places takes less time than finding the hidden ones
Whose = Literal["mine", "theirs"]
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
        self._known = visible.bool().byte()  # small numbers: a quarter of the time
        self._closed = False
        self._onward: dict[Any, Places] = {}
        self._met: dict[int, tuple[weakref.ref[Places], Places | Whose]] = {}

    @cached_property
    def full(self) -> bool:
        """Whether nothing is hidden."""
        return self.inside is None and float(self.visible.min()) > 0  # quicker than `all`

    @cached_property
    def seen(self) -> Tensor:
        """Visible places as booleans."""
        return self.visible.bool()

    @cached_property
    def penalty(self) -> Tensor:
        """0 where a place is visible, else minus infinity: added, it lets no hidden value win."""
        return torch.zeros_like(self.visible).masked_fill_(~self.seen, -torch.inf)

    def both(self, other: "Places") -> "Places":
        """Places that are visible in both; one of the two where it says the same already."""
        if other is self:
            return self
        met = self._met.get(id(other))
        if met is None or met[0]() is not other:
            met = self._met[id(other)] = (weakref.ref(other), self._joined(other))
        return {"mine": self, "theirs": other}[met[1]] if isinstance(met[1], str) else met[1]

    def _joined(self, other: "Places") -> "Places | Whose":
        product = self.visible * other.visible
        if torch.equal(product, self.visible):
            return "mine"
        if self.inside is other.inside and torch.equal(product, other.visible):
            return "theirs"
        return Places(product, self.rule, self.inside)

    @torch.no_grad()
    def shares(self, rounds: int) -> list[Tensor]:
        """For each round of filling what the sum of 3 x 3 neighbours is multiplied by.

        0 but at the hidden places that have a known neighbour then; fewer rounds where no hole is
        left. Places outside are never filled.
        """
        while len(self._shares) < rounds and not self._closed:
            count = around(self._known)
            edge = count.bool() & ~self._known.bool()
            if self.inside is not None:
                edge &= self.inside.bool()
            self._closed = not bool(edge.any())
            if not self._closed:
                share = (count + EPS).reciprocal_().mul_(edge)
                self._shares.append(share.to(self.visible.dtype))
                self._edges.append((edge[:, 0], self._known[:, 0]))
                self._known = self._known + edge
        return self._shares[:rounds]

    def rings(self, rounds: int) -> list[Ring]:
        """The same places one by one."""
        count = len(self.shares(rounds))
        for edge, known in self._edges[len(self._rings) : count]:
            self._rings.append(_ring(edge, known.bool(), self.visible.dtype))
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
            return _largest(F.pad(self.visible, wide), kernel, stride, dilation)
        hidden = 1 - self.visible
        hidden = hidden if self.inside is None else hidden * self.inside
        return 1 - _largest(F.pad(hidden, wide), kernel, stride, dilation)


def filled(values: Tensor, places: Places, rounds: int) -> Tensor:
    """Fill hidden places from their 3 x 3 neighbours, ring by ring, without a gradient.

    Args:
        values: [b, c, h, w], 0 at hidden places where not `by_place`; without gradients they may
            be filled in place.
        places: which are visible, and which are padding, never to be filled.
        rounds: rings at most; filling ends before where no hole is left.
    """
    alone = values.device.type == "cpu" and not torch.is_grad_enabled()
    if by_place(values):
        values = values.contiguous(memory_format=torch.channels_last)
        rows = values.permute(0, 2, 3, 1).view(-1, values.shape[1])
        for ring in places.rings(rounds):
            sums = F.embedding_bag(
                ring.near, rows, ring.start, mode="sum", per_sample_weights=ring.weights
            )
            rows.index_copy_(0, ring.at, sums)
        return values
    if alone:
        wide = F.pad(values.contiguous(), (1, 1, 1, 1))
        for share in places.shares(rounds):
            wide[:, :, 1:-1, 1:-1].addcmul_(_summed(wide), share)
        return wide[:, :, 1:-1, 1:-1].contiguous(memory_format=torch.channels_last)
    for share in places.shares(rounds):
        with torch.no_grad():
            sums = around(values)
        values = torch.addcmul(values, sums, share)
    return values


def by_place(values: Tensor) -> bool:
    """Whether `filled` looks up place by place, and at known ones alone."""
    return values.device.type == "cpu" and values.shape[1] > FEW and not torch.is_grad_enabled()


def _ring(edge: Tensor, known: Tensor, dtype: torch.dtype) -> Ring:
    """Where `edge` is, and its `known` neighbours; both bool [b, h, w]."""
    _, height, width = edge.shape
    image, row, col = edge.nonzero(as_tuple=True)
    at = (image * height + row) * width + col
    # with a frame around each map all neighbours are places, and those beyond a border not known
    framed = F.pad(known, (1, 1, 1, 1)).flatten()
    center = (image * (height + 2) + row + 1) * (width + 2) + col + 1
    step = torch.arange(9, device=edge.device)
    down, right = step // 3 - 1, step % 3 - 1
    there = framed[center[:, None] + (down * (width + 2) + right)]
    counts = there.sum(1)
    near = (at[:, None] + (down * width + right))[there]
    weights = (1 / (counts + EPS)).to(dtype).repeat_interleave(counts)
    return Ring(at, near, counts.cumsum(0) - counts, weights)


def around(values: Tensor) -> Tensor:
    """Sum of the 3 x 3 places around each place of [b, c, h, w]; beyond the border there is 0.

    On a CPU a pool over few channels takes ten times as long as a convolution of each by itself;
    on a GPU convolutions may round their input. Of few channels shifted copies are quickest.
    """
    if values.shape[1] <= FEW:
        return _summed(F.pad(values, (1, 1, 1, 1)))
    if values.device.type != "cpu":
        return F.avg_pool2d(values, 3, 1, 1, divisor_override=1)
    channels = values.shape[1]
    return F.conv2d(values, values.new_ones(channels, 1, 3, 3), padding=1, groups=channels)


def _summed(wide: Tensor) -> Tensor:
    """Sums of 3 x 3 places, [b, c, h + 2, w + 2] to [b, c, h, w]."""
    rows = (wide[:, :, :-2] + wide[:, :, 1:-1]).add_(wide[:, :, 2:])
    return (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:])


def _largest(values: Tensor, kernel: Any, stride: Any, dilation: Any) -> Tensor:
    """Max pooling without padding, one side after the other: a large window in few comparisons."""
    for axis, side, step, gap in zip(
        (3, 2), kernel[::-1], stride[::-1], dilation[::-1], strict=True
    ):
        reached = 1
        while reached < side:
            more = min(reached, side - reached)
            count = values.shape[axis] - gap * more
            values = torch.maximum(
                values.narrow(axis, 0, count), values.narrow(axis, gap * more, count)
            )
            reached += more
        values = values[..., ::step] if axis == 3 else values[:, :, ::step]
    return values.contiguous()
