"""Checkpoints of facebookresearch/mae (`models_mae.py`, arXiv:2111.06377) with their decoder."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from workbench.models.assembly import assemble
from workbench.models.catalog import file_hash
from workbench.models.checkpoint import Checkpoint, described
from workbench.models.headers import is_official, official_sizes
from workbench.models.mae import DecoderShape
from workbench.models.transformer import ViTShape

__all__ = ["from_official", "is_official"]


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
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    stated = getattr(args, "__dict__", {})
    sizes = official_sizes(path, shapes, stated, heads, decoder_heads)
    ours = {(k if _of_decoder(k) else f"encoder.{k}"): v for k, v in state.items()}
    dim, depth, own_heads = sizes.encoder
    shape = ViTShape(
        rows=sizes.side,
        cols=sizes.side,
        patch=sizes.patch,
        dim=dim,
        depth=depth,
        heads=own_heads,
        hidden=_mlp_width(state, "blocks.0"),
    )
    dim, depth, own_heads = sizes.decoder
    hidden = _mlp_width(state, "decoder_blocks.0")
    decoder = DecoderShape(dim=dim, depth=depth, heads=own_heads, hidden=hidden)
    digest = file_hash(path)
    return Checkpoint(
        model=assemble(ours, shape, decoder, path),
        card=described(path.stem, "facebookresearch/mae", shape, decoder, sizes.norm_pix, digest),
        norm_pix=sizes.norm_pix,
        grid=(sizes.side, sizes.side),
        hash=digest,
    )


def _of_decoder(key: str) -> bool:
    return key == "mask_token" or key.startswith("decoder_")


def _mlp_width(state: Mapping[str, Tensor], block: str) -> int:
    found = state.get(f"{block}.mlp.fc1.weight")
    return int(found.shape[0]) if found is not None and found.ndim == 2 else 1
