"""Merge tokens into a few centres for some layers, and make every token again from them."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput
from workbench.interventions.intervention import Intervention, Layer
from workbench.interventions.opened import Opened
from workbench.masks import Grid
from workbench.params import Knob

WINDOW = 2  # centres to each side that a token may belong to


@dataclass(frozen=True, kw_only=True)
class MergeTokens(Intervention):
    """Cluster patches before a layer, run later layers on the centres, and restore the patches.

    Centres start as means of cells and take `iterations` steps of weighing by
    softmax(-sharpness * squared distance) over the 5 x 5 cells around a token. After layer `until`
    each token is the sum of its `neighbours` nearest centres with weights exp(-sharpness * squared
    distance) that sum to 1. (`segment_anything/modeling/hourglass_image_encoder.py` of the official
    code divides by their L2 norm, which makes restored tokens larger: 20 equal ones sum to 4.47.)
    Rotary positions of a centre are those of the patch in the middle of its cell.
    """

    paper: ClassVar[str] = "arXiv:2210.01035"
    always_print: ClassVar[tuple[str, ...]] = ("layer", "shrink")
    idle: ClassVar[str] = "merge_tokens(shrink=1.0)"

    layer: Layer = 1
    until: Layer = -1
    shrink: Annotated[float, Knob("patches a centre along each side", 1, 64, 0.25, None, 4)] = 2.0
    iterations: Annotated[int, Knob("steps of clustering", 0, 50, 1, None, 10)] = 5
    neighbours: Annotated[int, Knob("centres that a token is made from", 1, 4096, 1, None, 40)] = 20
    sharpness: Annotated[float, Knob("how fast weights fall with distance", 0, 10, 0.01)] = 0.01

    def install(self, opened: Opened) -> None:
        """Merge before `layer`, restore after `until`."""
        network, grid = opened.network, opened.network.grid
        start, end = network.check_layer(self.layer), network.check_layer(self.until, "until")
        if end < start:
            raise BadInput(f"until is {end}, but tokens are merged at {start}; take {start} or -1.")
        rows, cols = math.ceil(grid.rows / self.shrink), math.ceil(grid.cols / self.shrink)
        if (rows, cols) == (grid.rows, grid.cols):
            return
        lattice, weights = Grid(rows, cols), dict[str, Tensor]()

        def merge(x: Tensor) -> Tensor:
            if x.shape[1] != network.prefix + grid.size:
                raise BadInput(
                    f"tokens were dropped or merged before layer {start}, so that they fill no "
                    "grid to merge on; merge before that."
                )
            prefix, patches = x[:, : network.prefix], x[:, network.prefix :]
            centres = self.cluster(patches, grid, lattice)
            weights["back"] = self.back(patches, centres)
            opened.flow.merged[start] = lattice
            opened.flow.restored.add(end + 1)
            return torch.cat([prefix, centres], dim=1)

        def restore(args: tuple[Any, ...], out: Tensor) -> Tensor:
            prefix, centres = out[:, : network.prefix], out[:, network.prefix :]
            return torch.cat([prefix, weights.pop("back") @ centres], dim=1)

        opened.input(network.blocks[start], merge)
        opened.after(network.blocks[end], restore)
        for layer in range(start, end + 1):
            opened.before(network.attention(layer), _turning(grid, lattice))

    def cluster(self, patches: Tensor, grid: Grid, lattice: Grid) -> Tensor:
        """Centres [b, m, d] of patches [b, n, d]."""
        field = patches.transpose(1, 2).unflatten(2, (grid.rows, grid.cols))
        pooled = F.adaptive_avg_pool2d(field, (lattice.rows, lattice.cols))
        centres = pooled.flatten(2).transpose(1, 2)
        near = _near(grid, lattice).to(patches.device)
        for _ in range(self.iterations):
            scores = -self.sharpness * torch.cdist(patches, centres).square()
            share = scores.masked_fill(~near, float("-inf")).softmax(-1)
            centres = share.transpose(1, 2) @ patches / share.sum(1)[..., None].clamp(min=1e-12)
        return centres

    def back(self, patches: Tensor, centres: Tensor) -> Tensor:
        """Weights [b, n, m] that make patches from centres, rows sum to 1."""
        scores = -self.sharpness * torch.cdist(patches, centres).square()
        best = scores.topk(min(self.neighbours, scores.shape[-1]), dim=-1)
        return torch.zeros_like(scores).scatter(-1, best.indices, best.values.softmax(-1))


def _near(grid: Grid, lattice: Grid) -> Tensor:
    """Which centres lie in the window around a patch's own cell, bool [n, m]."""
    at, centre = torch.arange(grid.size), torch.arange(lattice.size)
    row = at // grid.cols * lattice.rows // grid.rows
    col = at % grid.cols * lattice.cols // grid.cols
    down = (row[:, None] - centre // lattice.cols).abs() <= WINDOW
    return down & ((col[:, None] - centre % lattice.cols).abs() <= WINDOW)


def _turning(grid: Grid, lattice: Grid) -> Any:
    """Rotary positions of the patches in the middle of the cells."""
    centre = torch.arange(lattice.size)
    row = (2 * (centre // lattice.cols) + 1) * grid.rows // (2 * lattice.rows)
    col = (2 * (centre % lattice.cols) + 1) * grid.cols // (2 * lattice.cols)
    middle = row * grid.cols + col

    def change(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rope = kwargs.get("rope")
        if rope is None or rope.shape[-2] != grid.size:
            return args, kwargs
        return args, {**kwargs, "rope": rope[..., middle.to(rope.device), :]}

    return change
