"""Copies of networks that answer quickly: packed weights, folded norms, bf16 where it pays."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.inference import prepared_encoder
from workbench.models.network import Network, network_of
from workbench.models.patches import patchify
from workbench.models.precision import bf16_pays
from workbench.models.quick_convnet import prepared_convnet
from workbench.models.timm_encoder import vit_from_timm
from workbench.models.transformer import ViT

Precision = Literal["auto", "fp32", "bf16"]
# How far a copy's answer may be from the network's, over its largest score. A copy that misread
# the network is off by about 1.
APART = {torch.float32: 1e-4, torch.bfloat16: 0.1}


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """The format that a word asks for; "auto" is bf16 where it pays on this machine.

    Raises:
        BadInput: another word.
    """
    if precision not in get_args(Precision):
        raise BadInput(f"precision is {precision!r}, wanted auto, fp32 or bf16.")
    half = bf16_pays(device) if precision == "auto" else precision == "bf16"
    return torch.bfloat16 if half else torch.float32


def untouched(module: nn.Module) -> bool:
    """Whether nothing hangs on a network that a copy would lose: hooks, changed forwards."""
    return not module.training and not any(
        each._forward_hooks or each._forward_pre_hooks or "forward" in vars(each)  # pyright: ignore[reportPrivateUsage]
        for each in module.modules()
    )


@torch.no_grad()
def quick_network(network: Network, picture: Tensor, precision: str = "auto") -> Network:
    """A copy of a network for answers without gradients; the network itself if none is quicker.

    The copy is compared with the network on `picture` [1, 3, h, w] in [0, 1] before it is given
    out; later changes of the network's weights do not reach it.
    """
    dtype = number_format(precision, network.device)
    plain = network.asked
    if plain.own or plain.dtype != torch.float32 or not untouched(plain.module):
        return network
    if plain.kind == "convnet":
        made, said = prepared_convnet(plain.module, plain.prepare(picture), dtype)
        quick = replace(plain, module=made)
    elif dtype == torch.float32:
        return network
    else:
        made = network_of(copy.deepcopy(plain.module).to(dtype), plain.name)
        quick = replace(made, labels=plain.labels, mean=plain.mean, std=plain.std)
        said = plain.logits(picture)
    same = alike(said.flatten(1), quick.logits(picture), dtype)
    return network.around(quick) if same else network


def alike(wanted: Tensor, got: Tensor, dtype: torch.dtype) -> bool:
    """Whether a copy in `dtype` says what the network says."""
    far = float((wanted - got.to(wanted.dtype)).abs().max())
    return far <= APART[dtype] * float(wanted.abs().max())


class QuickTokens:
    """A plain ViT with its head that is asked by tokens, so that a picture is embedded once.

    Raises:
        BadInput: not a plain ViT.
    """

    def __init__(self, network: Network, dtype: torch.dtype) -> None:
        module: Any = network.module
        self.network, self.dtype = network, dtype
        if not network.own:
            encoder = vit_from_timm(module, origin=network.name)
        else:
            encoder = module if isinstance(module, ViT) else cast(ViT, module.encoder)
        self._twin = prepared_encoder(encoder, network.device, dtype)
        self._head, self._first_only = _head(network.asked)

    @property
    def ragged(self) -> bool:
        """Whether pictures with unequally many tokens can be asked about together."""
        return self._first_only

    @torch.no_grad()
    def embedded(self, pictures: Tensor) -> Tensor:
        """Patches of pictures [b, 3, h, w] in [0, 1] with their positions, [b, n, d]."""
        x = self.network.prepare(pictures)
        patches = x if self.network.own else patchify(x, self.network.patch)
        shape = self._twin.shape
        place = self._twin.pos_embed[:, shape.prefix if shape.positions_for_prefix else 0 :]
        return self._twin.patch_embed(patches.to(self.dtype)) + place

    @torch.no_grad()
    def logits(self, tokens: Tensor, there: Tensor | None = None) -> Tensor:
        """Scores [b, classes] of the tokens [b, k, d] that are there, in any order.

        `there` bool [b, k] is False for what only fills up a row that has fewer; None for none.
        Only networks that read the tokens in front alone can be asked so, see `ragged`.
        """
        twin, prefix = self._twin, self._twin.shape.prefix
        blocks: Any = twin.blocks
        # Attention knows no order: what stands in front comes last, where a block can be asked for
        # it alone.
        x = twin.norm_pre(torch.cat([tokens, *twin.front(len(tokens), tokens)], dim=1))
        keys = None
        if there is not None:
            keys = torch.zeros(len(x), 1, 1, x.shape[1], dtype=x.dtype, device=x.device)
            keys[:, 0, 0, : there.shape[1]].masked_fill_(~there, -torch.inf)
        for block in blocks[:-1]:
            x = block(x, None, None, keys)
        x = blocks[-1](x, prefix if self._first_only else None, None, keys)
        x = twin.norm(x).float()
        if prefix and not self._first_only:
            x = torch.cat([x[:, -prefix:], x[:, :-prefix]], dim=1)
        return self.network.finished(self._head(x))


def _head(network: Network) -> tuple[Callable[[Tensor], Tensor], bool]:
    """From normalised tokens to scores, and whether that reads the tokens in front alone."""
    module: Any = network.module
    if not network.own:
        first_only = (
            getattr(module, "global_pool", "") == "token"
            and getattr(module, "attn_pool", None) is None
        )
        return lambda x: module.forward_head(x).flatten(1), first_only and network.prefix > 0
    if network.classes:
        return lambda x: module.head(x[:, network.prefix :].mean(1)), False
    if network.class_token:
        return lambda x: x[:, 0], True
    return lambda x: x[:, network.prefix :].mean(1), False
