"""Build networks around tensors that were read from a file, without copying or initialising."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.models.headers import block_count
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.positions import stretch_positions
from workbench.models.token_encoder import TokenAutoencoder
from workbench.models.transformer import ViT, ViTShape

Module = TypeVar("Module", bound=nn.Module)


def assemble(
    state: Mapping[str, Tensor], shape: ViTShape, decoder: DecoderShape, origin: object
) -> MaskedAutoencoder:
    """A masked autoencoder that holds the tensors of `state` (our names); other names are ignored.

    Raises:
        BadInput: names or sizes differ from those of the shapes; nothing was allocated then.
    """
    _check_blocks(state, "encoder.blocks.", shape.depth, shape.dim, shape.heads, origin)
    _check_blocks(state, "decoder_blocks.", decoder.depth, decoder.dim, decoder.heads, origin)
    return _filled(lambda: MaskedAutoencoder(shape, decoder), state, origin)


def assemble_tokens(
    state: Mapping[str, Tensor], shape: ViTShape, origin: object
) -> TokenAutoencoder:
    """A `TokenEncoder` of pixels that holds the tensors of `state`; raises as `assemble` does."""
    _check_blocks(state, "encoder.blocks.", shape.depth, shape.dim, shape.heads, origin)
    places = torch.zeros(1, shape.prefix + shape.tokens, 1)
    found = {"decoder_pos_embed": places, **state}
    return _filled(lambda: TokenAutoencoder(shape), found, origin)


def assemble_encoder(state: Mapping[str, Tensor], shape: ViTShape, origin: object) -> ViT:
    """A ViT that holds the tensors of `state` (timm's names); raises as `assemble` does."""
    _check_blocks(state, "blocks.", shape.depth, shape.dim, shape.heads, origin)
    return _filled(lambda: ViT(shape), state, origin)


def regridded(encoder: ViT, rows: int, cols: int, origin: object) -> ViT:
    """The same encoder for a grid of `rows` x `cols` patches: its positions are interpolated."""
    shape = encoder.shape
    if (rows, cols) == (shape.rows, shape.cols):
        return encoder
    state = encoder.state_dict()
    old = (shape.rows, shape.cols)
    state["pos_embed"] = stretch_positions(state["pos_embed"], old, (rows, cols))
    return assemble_encoder(state, replace(shape, rows=rows, cols=cols), origin)


def _check_blocks(
    state: Mapping[str, Tensor], prefix: str, depth: int, dim: int, heads: int, origin: object
) -> None:
    """Check what decides how long building takes, and what no tensor's size can tell."""
    found = block_count(state, prefix)
    if found != depth:
        raise BadInput(
            f"{origin} holds {found} {prefix.rstrip('.')}, its description says {depth}; "
            "the file does not fit its description."
        )
    if heads < 1 or dim % heads:
        raise BadInput(
            f"{origin}: {heads} heads do not divide the width {dim} of {prefix.rstrip('.')}; "
            "state the number of heads the model was trained with."
        )


def _filled(build: Callable[[], Module], state: Mapping[str, Tensor], origin: object) -> Module:
    with torch.device("meta"):
        module = build()
    wanted = module.state_dict()
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise BadInput(
            f"{origin} lacks {len(missing)} of {len(wanted)} weights, {shown(missing[0])} among "
            "them; it is of another architecture, so use a checkpoint of a plain ViT."
        )
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape or not state[name].is_floating_point():
            raise BadInput(
                f"{origin}: {name} is {state[name].dtype} {list(state[name].shape)}, wanted floats "
                f"{list(tensor.shape)}; the file does not fit its description."
            )
    module.load_state_dict({name: state[name] for name in wanted}, assign=True)
    return module.eval().requires_grad_(False)
