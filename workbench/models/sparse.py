"""Convolutional networks of timm on masked pictures: visible places never read hidden ones.

timm's blocks hand features alone from layer to layer, so the mask cannot travel beside them as an
argument. It lies in one `Active` of each network, set for the time of one call, and hooks before
and after the layers read it. Nothing is replaced: weights keep timm's names.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput, shown

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
CHECK_BATCH = 2


class Active:
    """What is visible while a network runs, at the resolution of any of its maps."""

    def __init__(self) -> None:
        self.keep: Tensor | None = None
        self._sizes: dict[tuple[int, int], Tensor] = {}
        self._numbers: dict[tuple[int, int], Tensor] = {}
        self._norm: Tensor | None = None

    @contextmanager
    def of(self, keep: Tensor | None) -> Generator[None]:
        """Mask by bool [b, 1, rows, cols], True = visible, within the block; None for nothing."""
        self.keep = keep
        try:
            yield
        finally:
            self.keep, self._norm = None, None
            self._sizes.clear()
            self._numbers.clear()

    def at(self, size: torch.Size) -> Tensor | None:
        """Visible places of a map [b, c, h, w] as bool [b, 1, h, w].

        None where nothing is masked, and for maps of one place, which are pooled.

        Raises:
            BadInput: the map is no multiple of the mask.
        """
        h, w = size[-2:]
        if self.keep is None or h == w == 1:
            return None
        if (h, w) not in self._sizes:
            rows, cols = self.keep.shape[-2:]
            if h % rows or w % cols:
                raise BadInput(
                    f"the network has a map of {h} x {w}, which {rows} x {cols} mask cells do not "
                    "divide; take a network that keeps to powers of two, such as resnet18."
                )
            tall = self.keep.repeat_interleave(h // rows, 2)
            self._sizes[h, w] = tall.repeat_interleave(w // cols, 3)
        return self._sizes[h, w]

    def clear(self, x: Tensor) -> Tensor:
        """Set hidden places of a map to 0."""
        keep = self.at(x.shape)
        return x if keep is None else torch.where(keep, x, x.new_zeros(()))

    def before(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Clear what a layer reads."""
        return (self.clear(args[0]), *args[1:])

    def after(self, module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        """Clear what a layer wrote."""
        return self.clear(out)

    def gather(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Hand a batch norm the visible places alone, [n, c, 1, 1]."""
        keep = self._norm = self.at(args[0].shape)
        if keep is None:
            return args
        places = args[0].permute(0, 2, 3, 1).flatten(0, 2)
        return (places.index_select(0, self._rows(keep))[:, :, None, None], *args[1:])

    def scatter(self, module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        """Put the visible places back, 0 elsewhere."""
        keep, self._norm = self._norm, None
        if keep is None:
            return out
        b, _, h, w = keep.shape
        rows = self._rows(keep)
        whole = out.new_zeros(b * h * w, out.shape[1]).index_copy(0, rows, out.flatten(1))
        return whole.view(b, h, w, -1).permute(0, 3, 1, 2)

    def _rows(self, keep: Tensor) -> Tensor:
        """Numbers of the visible places, counted through the batch."""
        size = (keep.shape[2], keep.shape[3])
        if size not in self._numbers:
            self._numbers[size] = keep.flatten().nonzero()[:, 0]
        return self._numbers[size]

    def watch(self, network: nn.Module) -> None:
        """Mask every convolution, pool and batch norm of a network from now on."""
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, *POOLS)):
                module.register_forward_pre_hook(self.before, prepend=True)
                module.register_forward_hook(self.after)
            elif isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(self.gather)
                module.register_forward_hook(self.scatter)


class MaskedConvnet(nn.Module):
    """A timm convnet that ends at one place a mask cell; its maps at every resolution.

    `net` is timm's model without its head. Where its total stride is larger than a cell, its first
    strides become 1, as is usual for small pictures; shapes of weights stay. `channels` are those
    of the maps, from the coarsest, one place a cell, to the finest, each twice as fine.
    """

    def __init__(self, name: str, patch: int, rows: int, cols: int) -> None:
        """Build with fresh weights.

        Raises:
            BadInput: no such network of timm, one that cannot give its maps or end at one place a
                cell, or one in which visible places still see hidden ones.
        """
        super().__init__()
        self.net, infos = _plain(name)
        restride(self.net, infos[-1]["reduction"], patch, name)
        self.active = Active()
        self.active.watch(self.net)
        sizes = self._sizes(patch, rows, cols)
        finest = {size[0]: i for i, size in enumerate(sizes) if size[0] < rows * patch}
        if not sizes or sizes[-1] != (rows, cols):
            raise BadInput(f"{name} does not end at one place a cell of {patch} px; take resnet18.")
        self.picks = [i for _, i in sorted(finest.items())]  # coarsest first
        self.channels = [int(infos[i]["num_chs"]) for i in self.picks]
        self._check(name, patch, rows, cols)

    def forward(self, images: Tensor, keep: Tensor | None = None) -> list[Tensor]:
        """Return the maps [b, c, h, w], coarsest first, 0 where hidden.

        Args:
            images: [b, 3, h, w]; hidden pixels are not read.
            keep: bool [b, 1, rows, cols], True = visible; None for all.
        """
        with self.active.of(keep):
            maps = self._maps(images)
            return [self.active.clear(maps[i]) for i in self.picks]

    def _maps(self, images: Tensor) -> list[Tensor]:
        return cast(Any, self.net).forward_intermediates(
            self.active.clear(images), intermediates_only=True
        )

    @torch.no_grad()
    def _sizes(self, patch: int, rows: int, cols: int) -> list[tuple[int, int]]:
        self.net.eval()
        maps = self._maps(torch.zeros(1, 3, rows * patch, cols * patch))
        self.net.train()
        return [(each.shape[2], each.shape[3]) for each in maps]

    @torch.no_grad()
    def _check(self, name: str, patch: int, rows: int, cols: int) -> None:
        """Refuse networks that carry hidden pixels past their masked layers."""
        keep = torch.zeros(CHECK_BATCH, 1, rows, cols, dtype=torch.bool)
        keep[:, :, ::2, ::2] = True
        images = torch.rand(CHECK_BATCH, 3, rows * patch, cols * patch)
        pixels = keep.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
        other = torch.where(pixels, images, torch.rand_like(images))
        self.net.eval()
        same = all(map(torch.equal, self(images, keep), self(other, keep)))
        self.net.train()
        if not same:
            raise BadInput(
                f"visible places of {name} see hidden ones past its convolutions, pools and batch "
                "norms; take a plain convnet, such as resnet18 or convnext_atto."
            )


def _plain(name: str) -> tuple[nn.Module, list[dict[str, Any]]]:
    """A timm model without head, and what it says of its maps."""
    import timm  # two seconds, which lists of objectives and presets need not wait

    if not timm.is_model(name):
        raise BadInput(f"{shown(name)} is no network of timm; take for example resnet18.")
    net = timm.create_model(name, pretrained=False, num_classes=0)
    info = getattr(net, "feature_info", None)
    if not hasattr(net, "forward_intermediates") or not info or "num_chs" not in info[-1]:
        raise BadInput(f"{name} does not give its maps; take for example resnet18.")
    if not any(isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1 and
               module.stride[0] == 1 for module in net.modules()):  # fmt: skip
        raise BadInput(f"{name} is no convolutional network; take for example resnet18.")
    cast(Any, net).prune_intermediate_layers(len(info), prune_norm=True, prune_head=True)
    return net, list(info)


def restride(net: nn.Module, total: int, patch: int, name: str) -> None:
    """Turn the first strides of a network into 1 until its total stride is `patch`."""
    if total == patch:
        return
    excess = total // patch
    if patch < 2 or excess * patch != total or excess & (excess - 1):
        raise BadInput(
            f"{name} has a stride of {total} px, and cells of {patch} px do not fit it; take a "
            f"patch of {total} px, or of half that, a quarter and so on."
        )
    side, found = 2 * total, dict[nn.Module, int]()

    def note(module: nn.Module, args: tuple[Any, ...]) -> None:
        found[module] = side // args[0].shape[-1]

    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, *POOLS)) and _stride(m) > 1]
    hooks = [module.register_forward_pre_hook(note) for module in layers]
    net.eval()
    try:
        with torch.no_grad():
            cast(Any, net).forward_intermediates(torch.zeros(1, 3, side, side))
    except AssertionError as error:
        raise BadInput(
            f"{name} takes no picture of {side} px ({str(error)[:120]}); take for example resnet18."
        ) from None
    net.train()
    for hook in hooks:
        hook.remove()
    for module, before in found.items():
        old = _stride(module)
        new = max(1, before * old // excess) // max(1, before // excess)
        if new != old:
            _set_stride(module, old, new)
    for row in cast(Any, net).feature_info:  # what is said of its maps stays true
        row["reduction"] = max(1, row["reduction"] // excess)


def _stride(module: nn.Module) -> int:
    stride = cast(Any, module).stride
    return stride if isinstance(stride, int) else stride[0]


def _set_stride(module: Any, old: int, new: int) -> None:
    kernel = module.kernel_size if isinstance(module.kernel_size, int) else module.kernel_size[0]
    if isinstance(module, POOLS):
        # a pool of stride 1 has nothing to shrink: one cell is its own neighbourhood
        module.kernel_size, module.stride, module.padding = new, new, 0
        return
    module.stride = (new, new)
    if kernel == old:  # cut without overlap: keep maps at an exact fraction of the picture
        gap = kernel - new
        module.padding = (gap // 2, gap // 2)
        if gap % 2:
            module.register_forward_pre_hook(_one_more)


def _one_more(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row and a column of zeros at the end, where a kernel reaches half a place farther."""
    return (F.pad(args[0], (0, 1, 0, 1)), *args[1:])
