"""Attention maps of every head, on whole pictures or while patches are hidden."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import BadInput
from workbench.explain.watching import watched, watching
from workbench.interventions import INTERVENTIONS, Intervention
from workbench.interventions.flow import flow_of
from workbench.interventions.intervention import exclusively, installed
from workbench.masks import Grid, Mask
from workbench.models.network import Images, Network, network_of
from workbench.models.precision import threads_for
from workbench.models.transformer import gather_tokens

Hide = Literal["drop", "keys"]


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMaps:
    """Maps of some layers of one run.

    `maps` holds, by layer, [b, heads, t, t]: rows ask, columns are asked, and each row sums to 1;
    `prefix` tokens stand in front of the patches of `grid`. `patches` names, by layer, the patches
    that the other tokens stand for, int64 [b or 1, k], or None for all in order. `hidden` is bool
    [b or 1, rows, cols], True where no token could be read; `tokens` is what the network gave.
    """

    maps: dict[int, Tensor]
    prefix: int
    class_token: bool
    grid: Grid
    patches: dict[int, Tensor | None]
    hidden: NDArray[np.bool_] | None
    tokens: Tensor

    def __repr__(self) -> str:
        """One line, where the numbers would fill pages."""
        heads = sorted({found.shape[1] for found in self.maps.values()})
        pictures = len(self.tokens)
        return (
            f"<AttentionMaps: {len(self.maps)} layers of {', '.join(map(str, heads))} heads, "
            f"{self.grid.rows} x {self.grid.cols} patches and {self.prefix} tokens, "
            f"{pictures} picture{'s' * (pictures != 1)}>"
        )

    @property
    def layers(self) -> list[int]:
        """Layers that ran and were read, in order."""
        return sorted(self.maps)

    def full(self, layer: int, fill: float = 0.0) -> Tensor:
        """The map with a row and a column for every patch, [b, heads, prefix + n, prefix + n].

        Where a patch had no token rows and columns are `fill`.
        """
        found, patches = self.map(layer), self.patches[layer]
        if patches is None:
            return found
        total = self.prefix + self.grid.size
        ahead = torch.arange(self.prefix, device=found.device).expand(len(patches), -1)
        at = torch.cat([ahead, patches + self.prefix], dim=1).expand(len(found), -1)
        rows = found.new_full((*found.shape[:2], total, found.shape[-1]), fill)
        index = at[:, None, :, None].expand(-1, found.shape[1], -1, found.shape[-1])
        rows = rows.scatter(2, index, found)
        whole = found.new_full((*found.shape[:2], total, total), fill)
        return whole.scatter(3, at[:, None, None].expand(-1, found.shape[1], total, -1), rows)

    def map(self, layer: int) -> Tensor:
        """The map of a layer as it ran.

        Raises:
            BadInput: that layer was not read, or it was skipped.
        """
        if layer not in self.maps:
            raise BadInput(f"layer {layer} gave no map; there are {self.layers}.")
        return self.maps[layer]

    def asked_by(self, layer: int, query: int | None = None) -> Tensor:
        """What one token looks at, [b, heads, rows, cols]; NaN where a patch had no token.

        Args:
            layer: which block.
            query: a patch, row-major from 0; None for the class token, or the mean over all
                patches where there is none.

        Raises:
            BadInput: no such layer or patch.
        """
        whole = self.full(layer, float("nan"))
        if query is not None:
            if not 0 <= query < self.grid.size:
                raise BadInput(
                    f"the query is patch {query}, but there are {self.grid.size}; take 0 to "
                    f"{self.grid.size - 1}."
                )
            rows = whole[:, :, self.prefix + query]
        elif self.class_token:
            rows = whole[:, :, 0]
        else:
            rows = whole[:, :, self.prefix :].nanmean(2)
        return rows[..., self.prefix :].unflatten(-1, (self.grid.rows, self.grid.cols))


def attention_maps(
    model: Any,
    images: Images,
    *,
    layers: Sequence[int] | None = None,
    mask: Mask | None = None,
    hide: Hide = "drop",
    interventions: Sequence[Intervention | str] = (),
) -> AttentionMaps:
    """Run a transformer on pictures and keep its attention maps.

    Fused kernels stay: maps are computed beside them (see `watching`). Within a block of
    `intervene` the changed network is read.

    Args:
        model: whatever `network_of` understands.
        images: float [b, 3, h, w] in [0, 1].
        layers: which blocks, -1 the last; None for all.
        mask: patches to hide, one mask or as many as pictures.
        hide: "drop" hidden tokens at the start, as a masked autoencoder does, or only hide their
            "keys", so that they still ask.
        interventions: further changes, recipes or members.

    Returns:
        The maps, detached.

    Raises:
        BadInput: a network without such maps, no such layer, or a recipe that does not fit.
    """
    network = network_of(model)
    network.check_maps()
    chosen = range(network.depth) if layers is None else layers
    wanted = [network.check_layer(layer) for layer in chosen]
    changes = [INTERVENTIONS.parse(each) for each in interventions]
    if mask is not None:
        recipe = "drop_tokens(layer=0)" if hide == "drop" else "hide_keys"
        changes.insert(0, INTERVENTIONS.parse(recipe))
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(exclusively(network))
        if changes:
            stack.enter_context(installed(network, changes, mask=mask))
        watch = stack.enter_context(watching(network, wanted))
        stack.enter_context(threads_for(network.work(len(images))))
        tokens = network.features(images)
        found = placed(network, watch.maps, tokens)
    return found if mask is None else replace(found, hidden=mask.hidden)


def placed(network: Network, maps: dict[int, Tensor], tokens: Tensor) -> AttentionMaps:
    """Maps of a run that has just ended, with the patches that their rows stand for.

    Raises:
        BadInput: an intervention has merged tokens in one of these layers.
    """
    flow = flow_of(network.module)
    merged = [layer for layer in maps if flow.centres(layer) is not None]
    if merged:
        raise BadInput(
            f"tokens are merged in layer {merged[0]}, so that its map is between centres, not "
            "patches; leave those layers out."
        )
    patches = {layer: flow.patches(layer) for layer in maps}
    last, hidden = flow.patches(network.depth - 1), None
    if last is not None:
        gone = torch.ones(len(last), network.grid.size, dtype=torch.bool)
        hidden = gone.scatter(1, last.cpu(), False).view(-1, *network.grid.shape).numpy()
    return AttentionMaps(
        maps, network.prefix, network.class_token, network.grid, patches, hidden, tokens
    )


def decoder_maps(model: Any, images: Images, mask: Mask) -> AttentionMaps:
    """Attention in the decoder of a masked autoencoder: from mask tokens to what was visible.

    Args:
        model: a `Reconstructor`, its `Tap`, or a `MaskedAutoencoder`.
        images: float [b, 3, h, w] in [0, 1].
        mask: what is hidden, one mask or as many as pictures, equally many patches in each.

    Returns:
        Maps of the decoder's blocks with rows and columns in the order of the picture: row `prefix
        + i` is the mask token of patch i where it is hidden, and its embedding elsewhere.

    Raises:
        BadInput: no decoder, or masks of unequal counts.
    """
    network = network_of(model)
    whole: Any = network.whole
    if whole is None:
        raise BadInput(
            f"{network.name} has no decoder, so no mask token looks at anything; take a model that "
            "reconstructs, such as default."
        )
    visible, hidden = (
        torch.from_numpy(each.astype(np.int64)).to(network.device)
        for each in (mask.visible_indices(), mask.hidden_indices())
    )
    blocks = list(whole.decoder_blocks)
    with (
        torch.no_grad(),
        exclusively(network),
        watched([b.attn for b in blocks], range(len(blocks))) as watch,
    ):
        patches = network.prepare(images)
        visible, hidden = (each.expand(len(patches), -1) for each in (visible, hidden))
        predicted = whole(patches, visible, hidden, everything=True)
    prefix = network.prefix
    order = torch.cat([visible, hidden], dim=1).argsort(1) + prefix
    order = torch.cat([torch.arange(prefix, device=order.device).expand(len(order), -1), order], 1)
    maps = {layer: _reordered(each, order) for layer, each in watch.maps.items()}
    return AttentionMaps(
        maps, prefix, network.class_token, network.grid, dict.fromkeys(maps), mask.hidden, predicted
    )


def _reordered(found: Tensor, order: Tensor) -> Tensor:
    """Rows and columns of [b, heads, t, t] by int64 [b, t]."""
    flat = found.flatten(0, 1)
    index = order.repeat_interleave(found.shape[1], dim=0)
    rows = gather_tokens(flat, index)
    return gather_tokens(rows.transpose(1, 2), index).transpose(1, 2).view_as(found)
