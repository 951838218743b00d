"""A feature map that knows which of its places are visible, on its way through a convnet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput

EPS = 1e-5  # of the official fill, so that constants come out 1e-5 a round too small


@dataclass(frozen=True)
class Rule:
    """How hiding is carried: `policy` any, all or fixed, `fill` neighbour, zero or renormalise.

    `first` is the mask of the picture, float [b, 1, h, w], 1 = visible.
    """

    policy: str
    fill: str
    first: Tensor


class Layered(Tensor):
    """A map together with `visible`, float [b, 1, h, w] laid out like the map, 1 = visible.

    Values at hidden places are never to be read: they are zeroed before anything looks at more than
    one place, and at the end. `inside` is 0 where a place is padding, None where there is none.
    """

    rule: Rule
    visible: Tensor
    inside: Tensor | None

    @staticmethod
    def wrap(values: Tensor, visible: Tensor, rule: Rule, inside: Tensor | None = None) -> Tensor:
        """Join values and their visibility; where nothing is hidden the plain values."""
        if inside is None and bool(visible.all()):
            return values
        made = values.as_subclass(Layered)
        made.rule, made.visible, made.inside = rule, visible, inside
        return made

    @property
    def plain(self) -> Tensor:
        """The values alone, whatever stands at hidden places."""
        return self.as_subclass(Tensor)

    @property
    def clean(self) -> Tensor:
        """The values, 0 at hidden places, whatever stood there."""
        return torch.where(self.seen, self.plain, 0)

    @property
    def seen(self) -> Tensor:
        """Visible places as booleans."""
        return self.visible > 0

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Carry visibility through whatever torch is asked for."""
        with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore[reportPrivateUsage]
            special = SPECIAL.get(func)
            if special is not None and isinstance(args[0], Layered):
                return special(func, *args, **(kwargs or {}))
            return _pointwise(func, args, kwargs or {})


def _layered(args: Sequence[Any]) -> list[Layered]:
    """Maps among the arguments, also in lists, such as those of `torch.cat`."""
    found: list[Layered] = []
    for each in args:
        if isinstance(each, Layered):
            found.append(each)
        elif isinstance(each, list | tuple):
            found += _layered(cast(Sequence[Any], each))
    return found


def _bare(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_bare(each) for each in cast(Sequence[Any], value)]
    return value.plain if isinstance(value, Layered) else value


def _pointwise(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What looks at one place at a time: visible where all that goes in is visible."""
    maps = _layered([*args, *kwargs.values()])
    plain = func(*map(_bare, args), **{name: _bare(each) for name, each in kwargs.items()})
    if not isinstance(plain, Tensor):
        return plain  # a shape, a flag, a device
    visible = maps[0].visible
    for each in maps[1:]:
        visible = visible * each.visible
    if plain.ndim != visible.ndim or any(
        wide != 1 and wide != full for wide, full in zip(visible.shape, plain.shape, strict=True)
    ):
        name = getattr(func, "__name__", str(func))
        raise BadInput(
            f"layer masking does not know how {name} carries hidden places from "
            f"{tuple(maps[0].shape)} to {tuple(plain.shape)}; take a network of convolutions, "
            "norms, activations and pools."
        )
    return Layered.wrap(plain, visible, maps[0].rule, maps[0].inside)


def _permuted(func: Callable[..., Any], x: Layered, *args: Any, **kwargs: Any) -> Any:
    inside = None if x.inside is None else func(x.inside, *args, **kwargs)
    values, visible = func(x.plain, *args, **kwargs), func(x.visible, *args, **kwargs)
    return Layered.wrap(values, visible, x.rule, inside)


def _padded(
    func: Callable[..., Any], x: Layered, pad: Any, mode: str = "constant", value: Any = None
) -> Any:
    """Padding with a constant is neither visible nor filled; other padding copies places."""
    if mode != "constant":
        values, visible = (F.pad(each, pad, mode) for each in (x.clean, x.visible))
        return Layered.wrap(values, visible, x.rule)
    inside = x.visible.new_ones(1, 1, *x.shape[2:]) if x.inside is None else x.inside
    return Layered.wrap(
        F.pad(x.clean, pad, mode, value), F.pad(x.visible, pad), x.rule, F.pad(inside, pad)
    )


def _convolved(
    func: Callable[..., Any],
    x: Layered,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    kernel = tuple(weight.shape[2:])
    stride, dilation = _two(stride), _two(dilation)
    padding = _same(kernel, dilation) if padding == "same" else _two(padding)
    visible = _carried(x, kernel, stride, padding, dilation)
    if kernel == (1, 1):  # one place at a time: what stands at hidden places goes nowhere
        return Layered.wrap(
            func(x.plain, weight, bias, stride, padding, dilation, groups), visible, x.rule
        )
    if x.rule.fill != "renormalise":
        values = x.clean
        if x.rule.fill == "neighbour":
            reach = max(step * (side - 1) for step, side in zip(dilation, kernel, strict=True))
            values = filled(values, x.visible, reach, x.inside)
        out = func(values, weight, bias, stride, padding, dilation, groups)
        return Layered.wrap(out, visible, x.rule)
    out = func(x.clean, weight, None, stride, padding, dilation, groups)
    ones = weight.new_ones(1, 1, *kernel)
    there = F.conv2d(x.visible, ones, None, stride, padding, dilation)
    inside = torch.ones_like(x.visible[:1]) if x.inside is None else x.inside
    share = there / F.conv2d(inside, ones, None, stride, padding, dilation)
    out = torch.where(there > 0, out / share.clamp_min(1e-12), 0)
    out = out if bias is None else out + bias.view(1, -1, 1, 1)
    return Layered.wrap(out, visible * (there > 0), x.rule)


def filled(values: Tensor, visible: Tensor, rounds: int, inside: Tensor | None = None) -> Tensor:
    """Fill hidden places from their 3 x 3 neighbours, ring by ring, without a gradient.

    Args:
        values: [b, c, h, w], 0 at hidden places.
        visible: float [b, 1, h, w], 1 = visible.
        rounds: rings at most; filling ends before where no hole is left.
        inside: 0 at places that are never filled.
    """
    for _ in range(rounds):
        if bool(visible.all()):
            break
        with torch.no_grad():
            count = F.avg_pool2d(visible, 3, 1, 1, divisor_override=1)
            edge = (visible == 0) & (count > 0.5)
            if inside is not None:
                edge &= inside > 0
            around = F.avg_pool2d(values, 3, 1, 1, divisor_override=1) / (count + EPS)
            added = torch.where(edge, around, 0)
            visible = visible + edge
        values = values + added
    return values


def _carried(x: Layered, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Tensor:
    """Which places of the output are visible, by the rule's policy."""
    sides = zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    if x.rule.policy == "fixed":
        return F.interpolate(x.rule.first, size, mode="nearest")
    if tuple(kernel) == (1, 1) and tuple(stride) == (1, 1) and not any(padding):
        return x.visible
    wide = (padding[1], padding[1], padding[0], padding[0])
    if x.rule.policy == "any":
        return F.max_pool2d(F.pad(x.visible, wide), kernel, stride, 0, dilation)
    hidden = 1 - x.visible if x.inside is None else (1 - x.visible) * x.inside
    return 1 - F.max_pool2d(F.pad(hidden, wide), kernel, stride, 0, dilation)


def _max_pooled(
    func: Callable[..., Any],
    x: Layered,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if ceil_mode or return_indices:
        raise BadInput(
            "layer masking does not carry max pooling with ceil_mode or indices; take a network "
            "without them."
        )
    kernel, padding, dilation = _two(kernel_size), _two(padding), _two(dilation)
    stride = kernel if stride is None or stride == [] else _two(stride)
    lowest = torch.where(x.seen, x.plain, -torch.inf)
    out = F.max_pool2d(lowest, kernel, stride, padding, dilation)
    visible = _carried(x, kernel, stride, padding, dilation) * (~out[:, :1].isneginf())
    return Layered.wrap(torch.where(out.isneginf(), 0, out), visible, x.rule)


def _average_pooled(
    func: Callable[..., Any],
    x: Layered,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Mean of the visible places of a window, whatever else is counted."""
    kernel, padding = _two(kernel_size), _two(padding)
    stride = kernel if stride is None or stride == [] else _two(stride)

    def summed(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, kernel, stride, padding, ceil_mode, divisor_override=1)

    sums, there = summed(x.clean), summed(x.visible)
    visible = (there > 0).to(there.dtype)
    if x.rule.policy == "all":
        inside = torch.ones_like(x.visible[:1]) if x.inside is None else x.inside
        visible = (there == summed(inside)).to(there.dtype)
    elif x.rule.policy == "fixed":
        visible = visible * F.interpolate(x.rule.first, visible.shape[2:], mode="nearest")
    return Layered.wrap(sums / there.clamp_min(1), visible, x.rule)


def _normed(func: Callable[..., Any], x: Layered, *args: Any, **kwargs: Any) -> Any:
    """A norm over places, such as that of a response norm: hidden ones add nothing."""
    dims = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if not isinstance(dims, list | tuple) or len(cast(Sequence[int], dims)) != 2:
        return _pointwise(func, (x, *args), kwargs)
    return func(x.clean, *args, **kwargs)


def _averaged(func: Callable[..., Any], x: Layered, *args: Any, **kwargs: Any) -> Any:
    """Mean over all places: of the visible ones."""
    dims = kwargs.get("dim", args[0] if args else None)
    keep = bool(kwargs.get("keepdim", args[1] if len(args) > 1 else False))
    dims = {d % x.ndim for d in ([dims] if isinstance(dims, int) else dims or range(x.ndim))}
    places = {at for at, side in enumerate(x.visible.shape) if side != 1 and at != 0}
    if dims == {1} or not dims & places:
        return _pointwise(func, (x, *args), kwargs)
    if dims not in ({2, 3}, {1, 2}) or x.visible.shape[next(iter({1, 3} - dims))] != 1:
        raise BadInput(
            f"layer masking does not carry a mean over {sorted(dims)} of {tuple(x.shape)}; take a "
            "network that pools over places alone."
        )
    axes = tuple(sorted(dims))
    count = x.visible.sum(axes, keepdim=keep).clamp_min(1)
    return x.clean.sum(axes, keepdim=keep) / count


def _adaptively(func: Callable[..., Any], x: Layered, output_size: Any) -> Any:
    if _two(output_size) != (1, 1):
        raise BadInput(
            f"layer masking pools to one place, not to {_two(output_size)}; take a network with "
            "global pooling."
        )
    if "max" in func.__name__:
        return torch.where(x.seen, x.plain, -torch.inf).amax((2, 3), keepdim=True)
    return _averaged(torch.mean, x, (2, 3), keepdim=True)


def _two(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return (value, value)
    return (int(value[0]), int(value[-1]))


def _same(kernel: tuple[int, ...], dilation: tuple[int, int]) -> tuple[int, int]:
    pads = [step * (side - 1) for step, side in zip(dilation, kernel, strict=True)]
    if any(each % 2 for each in pads):
        raise BadInput(
            f"layer masking does not carry an even kernel {kernel} with padding 'same'; take a "
            "network with odd kernels."
        )
    return (pads[0] // 2, pads[1] // 2)


SPECIAL: dict[Any, Callable[..., Any]] = {
    torch.conv2d: _convolved,
    F.conv2d: _convolved,
    F.pad: _padded,
    torch.max_pool2d: _max_pooled,
    F.max_pool2d: _max_pooled,
    F.avg_pool2d: _average_pooled,
    torch.mean: _averaged,
    Tensor.mean: _averaged,
    F.adaptive_avg_pool2d: _adaptively,
    F.adaptive_max_pool2d: _adaptively,
    torch.norm: _normed,
    Tensor.norm: _normed,
    torch.permute: _permuted,
    Tensor.permute: _permuted,
}
