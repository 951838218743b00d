"""Replace or freeze an activation: put in what the network makes of another picture (patching)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.interventions.gates import check_head
from workbench.interventions.intervention import Intervention, Layer, Seed
from workbench.interventions.opened import Opened
from workbench.models.network import Kind
from workbench.models.transformer import gather_tokens
from workbench.params import Knob

PARTS = ("block", "attention", "mlp", "heads")


@dataclass(frozen=True, kw_only=True)
class Replace(Intervention):
    """Blend an activation with that of the `source` picture, run through the unchanged network.

    With the same picture as its source an activation is frozen at what it was without the other
    interventions. `part` is what a block, its attention, its MLP or single heads before their
    projection give; of a convnet the output of a stage. With a mask only its hidden patches are
    replaced, without one all tokens.
    """

    paper: ClassVar[str] = "arXiv:2202.05262"
    always_print: ClassVar[tuple[str, ...]] = ("layer", "part")
    on: ClassVar[tuple[Kind, ...]] = ("vit", "windows", "convnet")
    wants: ClassVar[tuple[str, ...]] = ("source",)
    idle: ClassVar[str] = "replace(share=0.0)"

    layer: Layer = -1
    part: Annotated[str, Knob("whose output is replaced", choices=PARTS)] = "block"
    heads: Annotated[
        tuple[int, ...] | None, Knob('with part="heads", which; None for all', -512, 511, 1)
    ] = None
    mask: Annotated[str, Knob("recipe of the patches to replace, given, or empty for all")] = ""
    share: Annotated[float, Knob("how much of the source, 1 = all", 0, 1, 0.05)] = 1.0
    seed: Seed = 0

    def install(self, opened: Opened) -> None:
        """Record the source, then blend."""
        network = opened.network
        if network.kind == "convnet":
            stages = network.stages
            if self.part != "block" or self.mask or not -len(stages) <= self.layer < len(stages):
                raise BadInput(
                    f"{network.name} has {len(stages)} stages, of which the whole output can be "
                    f'replaced; take layer 0 to {len(stages) - 1}, part="block" and no mask.'
                )
            module, layer = stages[self.layer].module, -1
        else:
            layer = network.check_layer(self.layer)
            module = self._module(opened, layer)
        if network.kind != "vit" and self.mask:
            raise BadInput(f"{network.name} has no tokens in one row; leave the mask out.")
        if self.share == 0:
            return
        recorded = self._recorded(opened, module)
        chosen = opened.hidden(self.mask, self.seed) if self.mask else None

        def blend(x: Tensor) -> Tensor:
            there, where = self._there(opened, recorded, chosen, layer)
            if layer >= 0 and there.shape[1] > x.shape[1] and opened.flow.centres(layer):
                raise BadInput(
                    f"tokens are merged in layer {layer}, and a source has no such centres; "
                    "replace before that, or write replace after merge_tokens."
                )
            if there.shape[1:] != x.shape[1:] or len(x) % len(there):
                raise BadInput(
                    f"the source gives {list(there.shape)} there and the picture {list(x.shape)}; "
                    "give one source, or one a picture, of the same size."
                )
            there = there.repeat(len(x) // len(there), *[1] * (x.ndim - 1))
            mixed = there if self.share == 1 else x + self.share * (there - x)
            return self._only(opened, layer, x, mixed, where)

        if self.part == "heads":
            opened.input(module, blend)
        else:
            opened.after(module, lambda args, out: blend(out))

    def _module(self, opened: Opened, layer: int) -> nn.Module:
        network = opened.network
        if self.part == "block":
            return network.blocks[layer]
        if self.part == "mlp":
            return network.mlp_end(layer)
        attention = network.attention(layer)
        return attention.proj if self.part == "heads" else attention

    def _recorded(self, opened: Opened, module: nn.Module) -> Tensor:
        kept: list[Tensor] = []

        def keep(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
            kept.append(args[0] if self.part == "heads" else out)

        assert opened.source is not None
        handle = module.register_forward_hook(keep)
        try:
            with opened.plainly(), torch.no_grad():
                opened.network.features(opened.source)
        finally:
            handle.remove()
        if not kept:
            raise BadInput(
                f"layer {self.layer} of {opened.network.name} did not run on the source; "
                "take another layer."
            )
        return kept[0]

    def _there(
        self, opened: Opened, recorded: Tensor, chosen: Tensor | None, layer: int
    ) -> tuple[Tensor, Tensor | None]:
        """The recorded tokens of the patches that are still there, and which of them to put in."""
        kept = opened.flow.patches(layer) if layer >= 0 else None
        where = None if chosen is None else opened.hidden_at(chosen, layer)
        if kept is None:
            return recorded, where
        prefix, rows = opened.network.prefix, max(len(kept), len(recorded))
        whole = recorded.expand(rows, -1, -1)
        patches = gather_tokens(whole[:, prefix:], kept.expand(rows, -1))
        return torch.cat([whole[:, :prefix], patches], dim=1), where

    def _only(
        self, opened: Opened, layer: int, x: Tensor, mixed: Tensor, where: Tensor | None
    ) -> Tensor:
        """`mixed` for the chosen tokens and heads, `x` elsewhere."""
        if where is not None:
            ahead = where.new_zeros(len(where), opened.network.prefix)
            mixed = torch.where(torch.cat([ahead, where], dim=1).unsqueeze(-1), mixed, x)
        if self.part != "heads" or self.heads is None:
            return mixed
        count = opened.network.heads[layer]
        pick = torch.zeros(count, dtype=torch.bool, device=x.device)
        for head in self.heads:
            pick[check_head(opened, layer, head)] = True
        wide = pick.repeat_interleave(x.shape[-1] // count)
        return torch.where(wide, mixed, x)
