"""What a network is made of, for whoever looks or cuts inside: blocks, heads, tokens, stages.

One description of our own transformer, of any timm ViT and of timm's convnets: nothing is copied
and nothing is switched, it only says where things are.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.masks import Grid
from workbench.models.headed import HeadedEncoder
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import IMAGENET_MEAN, IMAGENET_STD, patchify
from workbench.models.reconstruction import Reconstructor
from workbench.models.taps import Tap, resized, tap
from workbench.models.transformer import Attention, ViT

Kind = Literal["vit", "windows", "convnet"]
Images = NDArray[np.float32] | Tensor

# Attention that is softmax(q_norm(q) k_norm(k)^T scale + mask) and nothing else, by its forward.
READABLE = {
    ("timm.layers.attention", "Attention.forward"),
    ("timm.layers.attention", "AttentionRope.forward"),
    ("timm.models.eva", "EvaAttention.forward"),
    ("timm.models.vision_transformer", "Attention.forward"),
}


@dataclass(frozen=True, eq=False)
class Stage:
    """A part of a convnet after which its maps get coarser: name, channels, stride in pixels."""

    name: str
    module: nn.Module
    channels: int
    stride: int


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A network and where its parts are.

    `module` is what hooks go on. `size` is height and width of its pictures in pixels (convnets
    take others too). `prefix` counts the tokens in front of the patches, `patch` is the side of a
    patch, or the total stride of a convnet. `blocks` are transformer blocks in order and `heads`
    their attention heads; `stages` are those of a convnet. `classes` is 0 where there is no head.
    `decoder` names the blocks that fill in hidden patches, where there are any. `fresh` says that
    its weights were drawn from a seed, so that what it answers means nothing.
    """

    module: nn.Module
    kind: Kind
    name: str
    size: tuple[int, int]
    patch: int
    prefix: int = 0
    class_token: bool = False
    blocks: tuple[nn.Module, ...] = ()
    heads: tuple[int, ...] = ()
    stages: tuple[Stage, ...] = ()
    classes: int = 0
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    own: bool = False
    whole: nn.Module | None = None
    fresh: bool = False

    def __repr__(self) -> str:
        """One line, where the modules themselves would fill pages of a notebook."""
        parts = f"{self.depth} blocks, " if self.blocks else f"{len(self.stages)} stages, "
        size = f"{self.size[0]} x {self.size[1]} px, {self.grid.rows} x {self.grid.cols} cells"
        head = f"{self.classes} classes" if self.classes else "no head"
        return f"<Network {self.name or self.kind}: {self.kind}, {parts}{size}, {head}>"

    @property
    def grid(self) -> Grid:
        """The patch grid of its own pictures; of a convnet, that of its last map."""
        rows, cols = (-(-side // self.patch) for side in self.size)
        return Grid(rows, cols, patch=self.patch)

    @property
    def depth(self) -> int:
        """Number of transformer blocks."""
        return len(self.blocks)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of its weights."""
        return next(self.module.parameters()).dtype

    def work(self, images: int) -> float:
        """Multiply-adds of so many pictures on a CPU, roughly; 0 elsewhere. See `threads_for`."""
        weights = sum(each.numel() for each in self.module.parameters())
        return float(weights * self.grid.size * images) if self.device.type == "cpu" else 0.0

    def attention(self, layer: int) -> Any:
        """The attention module of a block."""
        return cast(Any, self.blocks[layer]).attn

    def mlp(self, layer: int) -> Any:
        """The MLP of a block."""
        return cast(Any, self.blocks[layer]).mlp

    def mlp_end(self, layer: int) -> nn.Module:
        """The module that gives what a block adds after its attention: the MLP, or a norm of it."""
        block = cast(Any, self.blocks[layer])
        return block.norm2 if "Post" in type(block).__name__ else block.mlp

    @property
    def final_norm(self) -> nn.Module:
        """The norm after the last block; an identity where there is none."""
        return cast(Any, self._encoder if self.own else self.module).norm

    def prepare(self, images: Images) -> Tensor:
        """Pictures [b, 3, h, w] in [0, 1] as the module reads them; gradients pass through.

        Transformers have one size: pictures of another are resized to it. How the numbers lie in
        memory changes nothing, though convolutions sum in another order for another layout.
        """
        pictures = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
        pictures = pictures.to(self.device, self.dtype).contiguous()
        if self.kind != "convnet":
            pictures = resized(pictures, self.size)
        mean, std = (pictures.new_tensor(each).view(1, 3, 1, 1) for each in (self.mean, self.std))
        pictures = (pictures - mean) / std
        return patchify(pictures, self.patch) if self.own else pictures

    def features(self, images: Images) -> Tensor:
        """What comes before the head: tokens [b, prefix + n, d], or a map [b, c, h, w]."""
        if self.own:
            return self._encoder(self.prepare(images))
        out = cast(Any, self.module).forward_features(self.prepare(images))
        return getattr(out, "clean", out)  # a map that knows what is hidden: zero there

    def logits(self, images: Images) -> Tensor:
        """Scores of the classes, [b, classes]; without a head the pooled features, [b, d]."""
        return self.logits_of(self.prepare(images))

    def logits_of(self, prepared: Tensor) -> Tensor:
        """As `logits`, for pictures that `prepare` has made ready."""
        if not self.own:
            return self.module(prepared).flatten(1)
        tokens = self._encoder(prepared)
        if self.classes:
            return cast(Any, self.module).head(tokens[:, self.prefix :].mean(1))
        return tokens[:, 0] if self.class_token else tokens[:, self.prefix :].mean(1)

    @property
    def asked(self) -> "Network":
        """The network whose scores these are made of."""
        return self

    def around(self, other: "Network") -> "Network":
        """The same asked of another network, such as a quicker copy."""
        return other

    def finished(self, scores: Tensor) -> Tensor:
        """What is made of the scores of `asked`, [b, classes]."""
        return scores

    def shares(self, scores: Tensor) -> Tensor:
        """Scores [b, classes] as shares from 0 to 1: the probabilities of the classes."""
        return scores.softmax(1)

    @property
    def _encoder(self) -> nn.Module:
        return self.module if isinstance(self.module, ViT) else cast(Any, self.module).encoder

    def check_layer(self, layer: int, what: str = "layer") -> int:
        """The layer counted from 0; -1 is the last.

        Raises:
            BadInput: no such layer.
        """
        if not -self.depth <= layer < self.depth:
            raise BadInput(
                f"{what} is {layer}, but {self.name} has {self.depth} blocks; "
                + (f"take 0 to {self.depth - 1}." if self.depth else "take a vision transformer.")
            )
        return layer % self.depth

    def check_maps(self) -> None:
        """Say why no attention maps can be read from it, or return.

        Raises:
            BadInput: a convnet, windows, or attention of a kind that is not plain.
        """
        if self.kind == "convnet":
            raise BadInput(
                f"{self.name} is a convolutional network and has no attention; take a vision "
                "transformer, or layer masking and Grad-CAM for this one."
            )
        if self.kind == "windows":
            raise BadInput(
                f"{self.name} attends inside shifted windows, so it has no map from a patch to all "
                "others; take a plain ViT, or change its heads and blocks, which works here too."
            )
        for layer in range(self.depth):
            attention = self.attention(layer)
            if not (isinstance(attention, Attention) or _readable(attention)):
                raise BadInput(
                    f"block {layer} of {self.name} attends by {type(attention).__name__} of "
                    f"{type(attention).__module__}, which is more than a softmax of queries and "
                    "keys; take a plain ViT, DINOv2, DeiT or EVA."
                )


def _readable(attention: nn.Module) -> bool:
    forward: Any = type(attention).forward
    return (forward.__module__, forward.__qualname__) in READABLE


def network_of(model: Any, name: str = "") -> Network:
    """Describe a model: one of ours, or a timm ViT, Swin or convnet.

    Args:
        model: a `Network` (returned as it is), a `Reconstructor` or its `Tap` (its weights in
            single precision), our `ViT`, `HeadedEncoder` or masked autoencoder, or a timm model.
        name: what refusals call it.

    Raises:
        BadInput: a model whose parts are not found.
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, Reconstructor):
        model = tap(model)
    if isinstance(model, Tap):
        described = network_of(model.whole or model.encoder, name)
        return replace(described, mean=model.mean, std=model.std)
    if isinstance(model, ViT):
        return _own(model, model, name, None)
    if isinstance(model, MaskedAutoencoder):
        return _own(model.encoder, model.encoder, name, model)
    if isinstance(model, HeadedEncoder):
        described = _own(model.encoder, model, name, None)
        classes = getattr(model.head, "out_features", 0)
        return replace(described, classes=int(classes))
    if not isinstance(model, nn.Module):
        raise BadInput(f"{shown(model)} is no network; give one from load_network or timm.")
    return _foreign(model, name or type(model).__name__)


def _own(encoder: ViT, module: nn.Module, name: str, whole: nn.Module | None) -> Network:
    shape = encoder.shape
    return Network(
        module=module,
        kind="vit",
        name=name or "the encoder",
        size=(shape.rows * shape.patch, shape.cols * shape.patch),
        patch=shape.patch,
        prefix=shape.prefix,
        class_token=shape.class_token,
        blocks=tuple(encoder.blocks),
        heads=(shape.heads,) * shape.depth,
        own=True,
        whole=whole,
    )


def _foreign(model: Any, name: str) -> Network:
    """Parts of a timm model, found by what its blocks hold."""
    cfg: dict[str, Any] = getattr(model, "pretrained_cfg", None) or {}
    common: dict[str, Any] = {
        "module": model,
        "name": name,
        "classes": int(getattr(model, "num_classes", 0) or 0),
        "mean": tuple(cfg.get("mean", IMAGENET_MEAN)),
        "std": tuple(cfg.get("std", IMAGENET_STD)),
    }
    blocks = _blocks(model)
    embed = getattr(model, "patch_embed", None)
    if blocks and embed is not None:
        if len(set(_pair(embed.patch_size))) != 1:
            raise BadInput(f"{name} has patches of {embed.patch_size} px; take square ones.")
        rows, cols = embed.grid_size
        side = int(_pair(embed.img_size)[0]) // int(rows)  # patches of a stem's map are larger
        windows = any(hasattr(block, "shift_size") for block in blocks)
        return Network(
            kind="windows" if windows else "vit",
            size=(int(rows) * side, int(cols) * side),
            patch=side,
            prefix=int(getattr(model, "num_prefix_tokens", 0)),
            class_token=getattr(model, "cls_token", None) is not None,
            blocks=blocks,
            heads=tuple(int(block.attn.num_heads) for block in blocks),
            **common,
        )
    stages = _stages(model)
    mixes = any("attn" in part or "attention" in part for part, _ in model.named_modules())
    if not blocks and not mixes and len({stage.stride for stage in stages}) > 1:
        height, width = cfg.get("input_size", (3, 224, 224))[1:]
        return Network(
            kind="convnet",
            size=(int(height), int(width)),
            patch=max(stage.stride for stage in stages),
            stages=stages,
            **common,
        )
    raise BadInput(
        f"{name} is a {type(model).__name__}, in which neither a list of attention blocks nor "
        "stages of convolutions are found; take a ViT, Swin or convnet of timm."
    )


def _blocks(model: Any) -> tuple[Any, ...]:
    """Blocks with one attention and one MLP, in order; of Swin, those of all stages."""
    lists = [getattr(model, "blocks", None)]
    lists += [getattr(layer, "blocks", None) for layer in getattr(model, "layers", ())]
    found = [block for each in lists if each is not None for block in each]
    good = all(
        hasattr(getattr(block, "attn", None), "num_heads")
        and hasattr(block.attn, "proj")
        and hasattr(block, "mlp")
        for block in found
    )
    return tuple(found) if good else ()


def _stages(model: Any) -> tuple[Stage, ...]:
    info = getattr(model, "feature_info", None)
    rows: list[dict[str, Any]] = info if isinstance(info, list) else []
    modules = dict(model.named_modules())
    return tuple(
        Stage(row["module"], modules[row["module"]], int(row["num_chs"]), int(row["reduction"]))
        for row in rows
        if row.get("module") in modules
    )


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)
