"""A feature map that knows which of its places are visible, on its way through a convnet."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput
from workbench.interventions.places import Places, Rule, by_place, filled
from workbench.models.quick_convnet import PackedConv, packed_conv2d


class Layered(Tensor):
    """A map together with `visible`, float [b, 1, h, w] laid out like the map, 1 = visible.

    Values at hidden places are never to be read: they are zeroed before anything looks at more than
    one place, and at the end.
    """

    places: Places
    ours: bool  # whether nobody outside reads these numbers, so that hidden ones may be changed

    @staticmethod
    def wrap(values: Tensor, visible: Tensor, rule: Rule, inside: Tensor | None = None) -> Tensor:
        """Join values and their visibility; where nothing is hidden the plain values."""
        return Layered.at(values, Places(visible, rule, inside), ours=False)

    @staticmethod
    def at(values: Tensor, places: Places, ours: bool = True) -> Tensor:
        """As `wrap`, for places that others share and numbers that were made here."""
        if places.full:
            return values
        made = values.as_subclass(Layered)
        made.places, made.ours = places, ours
        return made

    @property
    def visible(self) -> Tensor:
        """1 where a place is visible, float [b, 1, h, w] laid out like the map."""
        return self.places.visible

    @property
    def inside(self) -> Tensor | None:
        """0 where a place is padding, None where there is none."""
        return self.places.inside

    @property
    def rule(self) -> Rule:
        """How hiding is carried."""
        return self.places.rule

    @property
    def plain(self) -> Tensor:
        """The values alone, whatever stands at hidden places."""
        return self.as_subclass(Tensor)

    @property
    def clean(self) -> Tensor:
        """The values, 0 at hidden places, whatever number stood there.

        Without gradients they are set to 0 in place where nobody else reads them.
        """
        if torch.is_grad_enabled() or not self.ours:
            return torch.where(self.seen, self.plain, 0)
        return self.plain.mul_(self.visible)

    @property
    def seen(self) -> Tensor:
        """Visible places as booleans."""
        return self.places.seen

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
    places = maps[0].places
    for each in maps[1:]:
        places = places.both(each.places)
    visible = places.visible
    if plain.ndim != visible.ndim or any(
        wide != 1 and wide != full for wide, full in zip(visible.shape, plain.shape, strict=True)
    ):
        name = getattr(func, "__name__", str(func))
        raise BadInput(
            f"layer masking does not know how {name} carries hidden places from "
            f"{tuple(maps[0].shape)} to {tuple(plain.shape)}; take a network of convolutions, "
            "norms, activations and pools."
        )
    return Layered.at(plain, places, all(each.ours for each in maps))


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

    def run(values: Tensor, whole: bool = True) -> Tensor:
        return func(values, weight, bias if whole else None, stride, padding, dilation, groups)

    return _windowed(x, run, bias, (kernel, stride, padding, dilation))


def _packed(func: Callable[..., Any], x: Layered, conv: PackedConv) -> Any:
    """A convolution made ready to be quick; a ReLU may follow inside it."""
    window = (conv.kernel, conv.stride, conv.padding, conv.dilation)
    return _windowed(x, conv.run, conv.bias, window, conv.relu)


def _windowed(
    x: Layered, run: Callable[..., Tensor], bias: Tensor | None, window: Any, relu: bool = False
) -> Tensor:
    """What `run` makes of x with its hidden places filled.

    `run(values, False)` leaves out the bias, and the ReLU where there is one.
    """
    kernel, stride, padding, dilation = window
    onward = x.places.carried(*window)
    if kernel == (1, 1):  # one place at a time: what stands at hidden places goes nowhere
        return Layered.at(run(x.plain), onward)
    if x.rule.fill != "renormalise":
        if x.rule.fill != "neighbour":
            return Layered.at(run(x.clean), onward)
        reach = max(step * (side - 1) for step, side in zip(dilation, kernel, strict=True))
        return Layered.at(run(filled(_to_fill(x), x.places, reach)), onward)
    out = run(x.clean, False)
    ones = x.visible.new_ones(1, 1, *kernel)
    there = F.conv2d(x.visible, ones, None, stride, padding, dilation)
    inside = torch.ones_like(x.visible[:1]) if x.inside is None else x.inside
    share = there / F.conv2d(inside, ones, None, stride, padding, dilation)
    out = torch.where(there > 0, out / share.clamp_min(1e-12), 0)
    out = out if bias is None else out + bias.view(1, -1, 1, 1)
    out = out.relu() if relu else out
    return Layered.wrap(out, onward.visible * (there > 0), x.rule)


def _to_fill(x: Layered) -> Tensor:
    """The values, 0 at hidden places unless nothing visible will read those that are not filled.

    As many rings are filled as a window reaches: a result whose window holds anything visible reads
    no other hidden place. With the policy "fixed" a window may hold nothing visible.
    """
    alone = x.ours and x.inside is None and x.rule.policy != "fixed" and by_place(x.plain)
    return x.plain if alone else x.clean


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
    if torch.is_grad_enabled() or not x.ours:
        lowest = torch.where(x.seen, x.plain, -torch.inf)
    else:  # a quarter of the time
        lowest = x.plain + x.places.penalty.to(x.dtype)
    out = F.max_pool2d(lowest, kernel, stride, padding, dilation)
    onward = x.places.carried(kernel, stride, padding, dilation)
    if x.rule.policy == "any":
        return Layered.at(torch.where(onward.seen, out, 0), onward)
    empty = out.isneginf()
    out = torch.where(empty, 0, out)
    return Layered.wrap(out, onward.visible * ~empty[:, :1], x.rule)


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
    packed_conv2d: _packed,
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
