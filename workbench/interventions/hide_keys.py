"""Hide patches from attention: no token may read them, or their keys are zeroed."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from workbench.interventions.intervention import HiddenBy, Intervention, Layers, Seed
from workbench.interventions.opened import GIVEN, Opened
from workbench.models.transformer import Attention
from workbench.params import Knob

HOW = ("hard", "soft")
READ_OUT = ("visible", "all")


@dataclass(frozen=True, kw_only=True)
class HideKeys(Intervention):
    """Hide the keys of hidden patches from every query.

    `how="hard"` puts -inf in front of the softmax: a hidden patch gets no weight at all. "soft" is
    the key zeroing of DesignEdit (`src/demo/model.py`, `register_attention_control`): keys are made
    from zeros, and a hidden patch keeps the weight exp(0) and its value. With `read_out="visible"`
    hidden patches hold the mean of the visible ones after the last norm, so that no head reads
    them; features keep their shape.
    """

    paper: ClassVar[str] = "arXiv:2403.14487"
    always_print: ClassVar[tuple[str, ...]] = ("how",)
    idle: ClassVar[str] = 'hide_keys(mask="random(ratio=0.0)")'
    hides: ClassVar[bool] = True
    wants: ClassVar[tuple[str, ...]] = ("mask",)

    mask: HiddenBy = GIVEN
    how: Annotated[str, Knob("hard: no weight; soft: keys made from zeros", choices=HOW)] = "hard"
    layers: Layers = None
    read_out: Annotated[str, Knob("what the head may read at the end", choices=READ_OUT)] = (
        "visible"
    )
    seed: Seed = 0

    def install(self, opened: Opened) -> None:
        """Hide keys in the chosen layers, and hidden patches from the head."""
        hidden = opened.hidden(self.mask, self.seed)
        if not bool(hidden.any()):
            return
        for layer in opened.layers(self.layers):
            if self.how == "hard":
                opened.bias(layer, _refusing(opened, hidden, layer))
            else:
                _zero_keys(opened, hidden, layer)
        if self.read_out == "visible" and self.how == "hard":
            _read_visible(opened, hidden)


def _whole(opened: Opened, hidden: Tensor, layer: int) -> Tensor:
    """Hidden tokens at a layer, the prefix among them, bool [b or 1, t]."""
    there = opened.hidden_at(hidden, layer)
    return torch.cat([there.new_zeros(len(there), opened.network.prefix), there], dim=1)


def _refusing(opened: Opened, hidden: Tensor, layer: int) -> Any:
    def make(x: Tensor) -> Tensor:
        tokens = _whole(opened, hidden, layer)
        bias = torch.zeros(tokens.shape, dtype=x.dtype, device=x.device)
        return bias.masked_fill(tokens, float("-inf"))[:, None, None]

    return make


def _zero_keys(opened: Opened, hidden: Tensor, layer: int) -> None:
    attention = opened.network.attention(layer)
    bias = _key_bias(attention)
    if isinstance(attention, Attention):

        def of_ours(args: tuple[Any, ...], out: Tensor) -> Tensor:
            q, k, v = out.chunk(3, dim=-1)
            tokens = _whole(opened, hidden, layer).unsqueeze(-1)
            empty = k.new_zeros(()) if bias is None else bias.to(k)
            return torch.cat([q, torch.where(tokens, empty, k), v], dim=-1)

        opened.after(attention.qkv, of_ours)
        return

    def of_timm(k: Tensor) -> Tensor:  # [b, heads, t, head dim]
        tokens = _whole(opened, hidden, layer)[:, None, :, None]
        empty = k.new_zeros(()) if bias is None else bias.to(k).view(1, k.shape[1], 1, -1)
        return torch.where(tokens, empty, k)

    opened.input(attention.k_norm, of_timm)


def _key_bias(attention: Any) -> Tensor | None:
    """What a key is when it is made from zeros; None for zero."""
    if getattr(attention, "qkv", None) is not None:
        own = getattr(attention, "k_bias", None)
        both = attention.qkv.bias
        return own if both is None else both.chunk(3)[1]
    return attention.k_proj.bias


def _read_visible(opened: Opened, hidden: Tensor) -> None:
    network, last = opened.network, opened.network.depth - 1

    def change(args: tuple[Any, ...], out: Tensor) -> Tensor:
        there = opened.hidden_at(hidden, last).unsqueeze(-1)
        prefix, patches = out[:, : network.prefix], out[:, network.prefix :]
        count = (~there).sum(1, keepdim=True).clamp(min=1)
        mean = torch.where(there, 0, patches).sum(1, keepdim=True) / count
        return torch.cat([prefix, torch.where(there, mean, patches)], dim=1)

    opened.after(network.final_norm, change)
