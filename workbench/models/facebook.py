"""Checkpoints of facebookresearch/mae (`models_mae.py`, arXiv:2111.06377) with their decoder."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from workbench.errors import BadInput, shown
from workbench.models.assembly import assemble, block_count
from workbench.models.catalog import file_hash
from workbench.models.checkpoint import Checkpoint, described
from workbench.models.mae import DecoderShape
from workbench.models.transformer import ViTShape

# (width, depth) -> heads of mae_vit_base_patch16, mae_vit_large_patch16, mae_vit_huge_patch14.
ENCODERS = {(768, 12): 12, (1024, 24): 16, (1280, 32): 16}
DECODERS = {(512, 8): 16}
ENCODER_NAMES = ("heads", "num_heads")
DECODER_NAMES = ("decoder_heads", "decoder_num_heads")


def is_official(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the names of the official pre-training model with its decoder."""
    needed = ("mask_token", "decoder_embed.weight", "decoder_pos_embed", "patch_embed.proj.weight")
    return all(name in state for name in needed)


def from_official(
    path: Path,
    state: Mapping[str, Tensor],
    args: object,
    heads: int | None = None,
    decoder_heads: int | None = None,
) -> Checkpoint:
    """Read a state dict with official names.

    Args:
        path: the file it came from.
        state: tensors by name.
        args: the `argparse.Namespace` saved with it, or None; its `norm_pix_loss` says what the
            decoder predicts.
        heads: attention heads of the encoder where neither size nor `args` tell.
        decoder_heads: the same of the decoder.

    Raises:
        BadInput: heads unknown, a grid that is not square, or sizes that do not fit together.
    """
    ours = {(k if _of_decoder(k) else f"encoder.{k}"): v for k, v in state.items()}
    weight, narrow = state["patch_embed.proj.weight"], state["decoder_embed.weight"]
    count = state["decoder_pos_embed"].shape[1] - 1 if state["decoder_pos_embed"].ndim == 3 else 0
    side = math.isqrt(max(count, 0))
    if weight.ndim != 4 or narrow.ndim != 2 or count < 1 or side * side != count:
        raise BadInput(
            f"{path} has {count} patches, wanted a square grid as facebookresearch/mae has; "
            "convert it to the Hugging Face format."
        )
    size = (int(weight.shape[0]), block_count(state, "blocks."))
    decoder_size = (int(narrow.shape[0]), block_count(state, "decoder_blocks."))
    shape = ViTShape(
        rows=side,
        cols=side,
        patch=int(weight.shape[2]),
        dim=size[0],
        depth=size[1],
        heads=_heads(path, "heads", heads, args, ENCODER_NAMES, ENCODERS.get(size), size),
        hidden=_mlp_width(state, "blocks.0"),
    )
    decoder = DecoderShape(
        dim=decoder_size[0],
        depth=decoder_size[1],
        heads=_heads(
            path,
            "decoder_heads",
            decoder_heads,
            args,
            DECODER_NAMES,
            DECODERS.get(decoder_size),
            decoder_size,
        ),
        hidden=_mlp_width(state, "decoder_blocks.0"),
    )
    stated = getattr(args, "norm_pix_loss", None)
    norm_pix = stated if isinstance(stated, bool) else None
    digest = file_hash(path)
    return Checkpoint(
        model=assemble(ours, shape, decoder, path),
        card=described(path.stem, "facebookresearch/mae", shape, decoder, norm_pix, digest),
        norm_pix=norm_pix,
        grid=(side, side),
        hash=digest,
    )


def _of_decoder(key: str) -> bool:
    return key == "mask_token" or key.startswith("decoder_")


def _mlp_width(state: Mapping[str, Tensor], block: str) -> int:
    found = state.get(f"{block}.mlp.fc1.weight")
    return int(found.shape[0]) if found is not None and found.ndim == 2 else 1


def _heads(
    path: Path,
    option: str,
    given: int | None,
    args: Any,
    names: tuple[str, ...],
    official: int | None,
    size: tuple[int, int],
) -> int:
    """Heads as the caller says, else as the file's args say, else as official sizes have them."""
    if given is not None:
        if type(given) is not int or given < 1:
            raise BadInput(f"{option} is {shown(given)}, wanted a whole number from 1; pass 12.")
        return given
    stated = [getattr(args, name, None) for name in names]
    found = [value for value in stated if type(value) is int and value > 0]
    if found:
        return found[0]
    if official is None:
        raise BadInput(
            f"{path} does not say how many attention heads its {size[1]} blocks of width {size[0]} "
            f"have, and that is no official size; pass {option}=."
        )
    return official
