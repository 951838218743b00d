"""Folders of transformers' `ViTMAEForPreTraining`, read without transformers."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from workbench.errors import BadInput, shown
from workbench.models.assembly import assemble, assemble_encoder
from workbench.models.catalog import file_hash
from workbench.models.checkpoint import Checkpoint, described
from workbench.models.headers import (
    read_json,
    read_transformers,
    transformers_grid,
    transformers_weights,
)
from workbench.models.mae import DecoderShape
from workbench.models.patches import IMAGENET_MEAN, IMAGENET_STD
from workbench.models.positions import Stretch
from workbench.models.safe_load import read_weights
from workbench.models.transformer import ViT, ViTShape

# Defaults of `ViTMAEConfig`, for configurations that leave a field out.
DEFAULTS: dict[str, int] = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "num_channels": 3, "decoder_num_attention_heads": 16,
    "decoder_hidden_size": 512, "decoder_num_hidden_layers": 8, "decoder_intermediate_size": 2048,
}  # fmt: skip
# From the names in files to ours; the second half are the names inside transformers 5's modules.
RENAMES = (
    (r"^decoder\.mask_token", "mask_token"),
    (r"^decoder\.decoder_(embed|norm|pred|pos_embed)", r"decoder_\1"),
    (r"^decoder\.(?:decoder_encoder\.layer|decoder_layers)\.", "decoder_blocks."),
    (r"^(?:vit\.)?embeddings\.cls_token", "encoder.cls_token"),
    (r"^(?:vit\.)?embeddings\.position_embeddings", "encoder.pos_embed"),
    (r"^(?:vit\.)?embeddings\.patch_embeddings\.projection", "encoder.patch_embed.proj"),
    (r"^(?:vit\.)?(?:encoder\.layer|layers)\.", "encoder.blocks."),
    (r"^(?:vit\.)?layernorm\.", "encoder.norm."),
    (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.q_proj\.", ".attn.query."),
    (r"\.attention\.k_proj\.", ".attn.key."),
    (r"\.attention\.v_proj\.", ".attn.value."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
)


def from_folder(folder: Path, stretch: Stretch | None = None) -> Checkpoint:
    """Read config.json and model.safetensors (or pytorch_model.bin) of a ViTMAEForPreTraining.

    Args:
        folder: with both files; `preprocessor_config.json` may tell another mean and std.
        stretch: how the decoder's positions move to other grids; by default "line", as
            transformers does, so that outputs are equal; "plane" is the better picture.

    Raises:
        BadInput: files missing, another model type, no decoder, or what a plain ViT does not have.
    """
    config_path = folder / "config.json"
    config = read_transformers(config_path)
    path, state = _read_state(folder)
    if "decoder_pred.weight" not in state:
        raise BadInput(
            f"{path} has no decoder, so it cannot reconstruct; its encoder can still give features "
            "and attention maps: workbench.models.load_encoder."
        )
    shape, decoder, grid = _shapes(config, config_path)
    norm_pix = config.get("norm_pix_loss", False)
    if type(norm_pix) is not bool:
        raise BadInput(f"{config_path}: norm_pix_loss is {shown(norm_pix)}, wanted true or false.")
    mean, std = _normalisation(folder / "preprocessor_config.json")
    digest = file_hash(path)
    card = described(
        folder.name, "transformers ViTMAEForPreTraining", shape, decoder, norm_pix, digest
    )
    ratio = config.get("mask_ratio")
    if type(ratio) is float and 0 <= ratio <= 1:
        card["mask_ratio"] = ratio  # what it was trained with; any other is asked for all the same
    return Checkpoint(
        model=assemble(state, shape, decoder, path),
        card=card,
        norm_pix=norm_pix,
        grid=grid,
        hash=digest,
        mean=mean,
        std=std,
        stretch=stretch or "line",
    )


def encoder_from_folder(folder: Path) -> ViT:
    """The encoder of a ViTMAEForPreTraining or ViTMAEModel folder; raises as `from_folder` does."""
    config_path = folder / "config.json"
    config = read_transformers(config_path)
    path, state = _read_state(folder)
    shape, _, _ = _shapes(config, config_path)
    inner = {k.removeprefix("encoder."): v for k, v in state.items() if k.startswith("encoder.")}
    return assemble_encoder(inner, shape, path)


def _read_state(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    path = transformers_weights(folder)
    raw, _ = read_weights(path)
    return path, _fused({_renamed(name): tensor for name, tensor in raw.items()}, path)


def _renamed(name: str) -> str:
    for pattern, ours in RENAMES:
        name = re.sub(pattern, ours, name)
    return name


def _fused(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Join query, key and value as timm does."""
    for name in [name for name in state if ".attn.query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if any(part not in state for part in parts):
            raise BadInput(f"{path} holds {name} without key and value; fetch it again.")
        tensors = [state.pop(part) for part in parts]
        if len({tensor.shape for tensor in tensors}) != 1:
            raise BadInput(f"{path}: {name}, key and value differ in size; fetch it again.")
        state[name.replace(".query.", ".qkv.")] = torch.cat(tensors)
    for name in [name for name in state if name.endswith(".attn.qkv.weight")]:
        # qkv_bias=False concerns the decoder too, and a bias of zero is no bias.
        state.setdefault(name.replace("weight", "bias"), torch.zeros(len(state[name])))
    return state


def _shapes(
    config: Mapping[str, Any], origin: Path
) -> tuple[ViTShape, DecoderShape, tuple[int, int]]:
    size: dict[str, int] = {}
    for name, default in DEFAULTS.items():
        value = config.get(name, default)
        if type(value) is not int or not 1 <= value <= 1 << 20:
            raise BadInput(f"{origin}: {name} is {shown(value)}, wanted a whole number from 1 on.")
        size[name] = value
    act, eps = config.get("hidden_act", "gelu"), config.get("layer_norm_eps", 1e-12)
    if act != "gelu" or size["num_channels"] != 3 or not isinstance(eps, int | float):
        raise BadInput(
            f"{origin} has hidden_act {shown(act)} and {size['num_channels']} channels, wanted "
            "'gelu' and 3; use an RGB model with exact GELU."
        )
    rows, cols, patch = transformers_grid(config, origin)
    side = math.isqrt(rows * cols)
    shape = ViTShape(
        rows=side,
        cols=side,
        patch=patch,
        dim=size["hidden_size"],
        depth=size["num_hidden_layers"],
        heads=size["num_attention_heads"],
        hidden=size["intermediate_size"],
        eps=float(eps),
    )
    decoder = DecoderShape(
        dim=size["decoder_hidden_size"],
        depth=size["decoder_num_hidden_layers"],
        heads=size["decoder_num_attention_heads"],
        hidden=size["decoder_intermediate_size"],
    )
    return shape, decoder, (rows, cols)


def _normalisation(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not path.is_file():
        return IMAGENET_MEAN, IMAGENET_STD
    config = read_json(path)
    if config.get("do_normalize") is False:
        return (0.0,) * 3, (1.0,) * 3
    found: list[tuple[float, ...]] = []
    for name, default in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD)):
        values = config.get(name, list(default))
        numbers = cast(list[object], values) if isinstance(values, list) else []
        floats = [float(v) for v in numbers if isinstance(v, int | float) and math.isfinite(v)]
        if len(floats) != 3 or (name == "image_std" and min(floats) <= 0):
            raise BadInput(f"{path}: {name} is {shown(values)}, wanted three numbers.")
        found.append(tuple(floats))
    return found[0], found[1]
