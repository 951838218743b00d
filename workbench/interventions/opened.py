"""A network opened for changes: every change made through it is undone when it closes."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.interventions.flow import AFTER_ALL, Flow, flow_of, forget
from workbench.masks import MASKS, Grid, Mask
from workbench.models.network import Images, Network
from workbench.models.transformer import Attention

GIVEN = "given"
Before = Callable[[tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
After = Callable[[tuple[Any, ...], Any], Any]


@dataclass(eq=False)
class Opened:
    """What an intervention changes a network through.

    `mask` is the mask handed over with the picture, `source` another picture, [b, 3, h, w] in
    [0, 1]; None where there is none.
    """

    network: Network
    mask: Mask | None = None
    source: Images | None = None
    undo: ExitStack = field(default_factory=ExitStack)
    _asleep: bool = False
    _turns: int = 0

    @property
    def flow(self) -> Flow:
        """Notes about the tokens on their way."""
        return flow_of(self.network.module)

    def turn(self) -> int:
        """A number of its own for each change that others at the same place depend on."""
        self._turns += 1
        return self._turns

    @contextmanager
    def plainly(self) -> Generator[None]:
        """Run the network as if nothing had been changed."""
        before, self._asleep = self._asleep, True
        forget(self.network.module)
        try:
            yield
        finally:
            self._asleep = before

    def before(self, module: nn.Module, change: Before) -> None:
        """Change what a module is called with."""

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return None if self._asleep else change(args, kwargs)

        handle = module.register_forward_pre_hook(hook, with_kwargs=True)
        self.undo.callback(handle.remove)

    def input(self, module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        """Change the first thing that a module reads."""
        self.before(module, lambda args, kwargs: ((change(args[0]), *args[1:]), kwargs))

    def after(self, module: nn.Module, change: After) -> None:
        """Change what a module returns."""

        def hook(module: nn.Module, args: tuple[Any, ...], out: Any) -> Any:
            return None if self._asleep else change(args, out)

        handle = module.register_forward_hook(hook)
        self.undo.callback(handle.remove)

    def instead(self, module: nn.Module, function: Callable[..., Any]) -> None:
        """Run a function in place of a module, so that what the module costs is saved.

        Hooks on the module keep working.
        """
        parts = vars(module)
        had, own = "forward" in parts, module.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            return (own if self._asleep else function)(*args, **kwargs)

        parts["forward"] = forward

        def restore() -> None:
            if had:
                parts["forward"] = own
            else:
                parts.pop("forward", None)

        self.undo.callback(restore)

    def bias(self, layer: int, make: Callable[[Tensor], Tensor | None]) -> None:
        """Add to what the softmax of a layer reads.

        Args:
            layer: which block.
            make: from what enters the attention, [b, t, d], to a float tensor that broadcasts to
                [b, heads, t, t] with four axes, -inf for what may not be read; None for nothing.
        """
        attention = self.network.attention(layer)

        def change(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            more = make(args[0])
            return (args, kwargs) if more is None else biased(attention, args, kwargs, more)

        self.before(attention, change)

    def layers(self, chosen: tuple[int, ...] | None) -> list[int]:
        """Layers that a knob names, counted from 0; None is all of them.

        Raises:
            BadInput: no such layer.
        """
        if chosen is None:
            return list(range(self.network.depth))
        return sorted({self.network.check_layer(layer, "layers") for layer in chosen})

    def hidden(self, recipe: str, seed: int) -> Tensor:
        """Hidden patches, bool [b or 1, n]: those of the mask that was given, or of a recipe.

        Raises:
            BadInput: no mask was given, it lies on another grid, or the recipe wants score maps.
        """
        grid = self.network.grid
        if recipe != GIVEN:
            mask = MASKS.parse(recipe).sample(grid, count=1, seed=seed)
        elif self.mask is not None:
            mask = self.mask
        else:
            raise BadInput(
                "the mask is 'given', but none was given with the picture; write for example "
                'mask="random(ratio=0.5)".'
            )
        if mask.grid.shape != grid.shape:
            raise BadInput(
                f"the mask lies on {_size(mask.grid)} cells, but {self.network.name} has "
                f"{_size(grid)} patches; draw it on that grid."
            )
        hidden = torch.from_numpy(mask.hidden.reshape(len(mask), -1).copy())
        return hidden.to(self.network.device)

    def hidden_at(self, hidden: Tensor, layer: int, turn: int = AFTER_ALL) -> Tensor:
        """Which of the patches that are still there at a layer are hidden, bool [b or 1, k].

        Raises:
            BadInput: tokens were merged before, so that they stand for no patch.
        """
        if self.flow.centres(layer) is not None:
            raise BadInput(
                f"tokens are merged before layer {layer}, and centres are no patches that could "
                "be hidden; hide in layers before that."
            )
        kept = self.flow.patches(layer, turn)
        if kept is None:
            return hidden
        rows = max(len(kept), len(hidden))
        return hidden.expand(rows, -1).gather(1, kept.expand(rows, -1))


def biased(
    attention: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], more: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of an attention module with something added to what its softmax reads.

    Raises:
        BadInput: then nothing could be read by some query, which would give NaN.
    """
    if isinstance(attention, Attention):  # (x, tail, maps, keys)
        full = (*args, *(None,) * (4 - len(args)))
        tail, maps, keys = (
            kwargs.get(name, given) for name, given in zip(OURS, full[1:], strict=True)
        )
        return (full[0], tail, maps, _summed(keys, more)), {}
    return args, {**kwargs, "attn_mask": _summed(kwargs.get("attn_mask"), more)}


OURS = ("tail", "maps", "keys")


def _summed(keys: Tensor | None, more: Tensor) -> Tensor:
    if keys is not None and keys.dtype == torch.bool:
        keys = keys[:, None, None] if keys.ndim == 2 else keys
        keys = torch.zeros_like(keys, dtype=more.dtype).masked_fill(~keys, float("-inf"))
    bias = more if keys is None else keys.to(more.dtype) + more
    if bool(torch.isneginf(bias).all(-1).any()):
        raise BadInput(
            "every key is hidden from some query, so that it has nothing to attend to; leave at "
            "least one patch, or the class token, visible."
        )
    return bias


def _size(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))
