"""Frozen encoders that others learn from: whole pictures in, features on the student's patches."""

import weakref
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from workbench.models.assembly import assemble_encoder
from workbench.models.formats import encoder_and_colours
from workbench.models.patches import patchify
from workbench.models.positions import stretch_positions
from workbench.models.taps import resized
from workbench.models.transformer import ViT


class Teacher(nn.Module):
    """A loaded encoder, frozen, on a grid of `rows` x `cols` patches of its own size.

    Pictures are resized so that its patches cover the same parts of them as the student's: token i
    of one is about the place of token i of the other. Its positions are interpolated to that grid
    once. It always is in evaluation mode and normalises pictures its own way.
    """

    def __init__(self, source: str, rows: int, cols: int) -> None:
        """Load from a name or path as `workbench.models.load_encoder` reads it.

        Raises:
            BadInput: no such model, or no plain ViT.
        """
        super().__init__()
        encoder, mean, std = encoder_and_colours(source)
        old, split = encoder.shape, 0
        state = {name: value.float() for name, value in encoder.state_dict().items()}
        if not old.positions_for_prefix:
            split = old.prefix
        table = stretch_positions(state["pos_embed"], (old.rows, old.cols), (rows, cols))
        assert table.shape[1] == rows * cols + old.prefix - split
        shape = replace(old, rows=rows, cols=cols)
        self.encoder: ViT = assemble_encoder({**state, "pos_embed": table}, shape, source)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        # What its blocks said of the pictures whose attention was asked for last, for their loss.
        self._said: tuple[weakref.ref[Tensor], list[Tensor]] | None = None
        self.requires_grad_(False).eval()

    @property
    def dim(self) -> int:
        """Width of its features."""
        return self.encoder.shape.dim

    @property
    def prefix(self) -> int:
        """Tokens in front of the patches."""
        return self.encoder.shape.prefix

    def train(self, mode: bool = True) -> "Teacher":
        """Stay in evaluation mode."""
        return super().train(False)

    def patches(self, images: Tensor) -> Tensor:
        """Pictures [b, 3, h, w] in [0, 1] as its own patches, [b, rows * cols, p]."""
        shape = self.encoder.shape
        size = (shape.rows * shape.patch, shape.cols * shape.patch)
        mean, std = cast(Tensor, self.mean), cast(Tensor, self.std)
        return patchify((resized(images, size) - mean) / std, shape.patch)

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Patch tokens of the whole pictures after the last norm, [b, rows * cols, dim]."""
        return self.encoder(self.patches(images))[:, self.prefix :]

    @torch.no_grad()
    def states(
        self, images: Tensor, count: int | None = None, visible: Tensor | None = None
    ) -> list[Tensor]:
        """Outputs of the first `count` blocks, [b, prefix + k, dim] each, not normalised.

        `visible` int64 [b, k] are the patches that it reads; None for all. Of pictures whose
        `attention` was just asked for they are there already.
        """
        said, self._said = self._said, None
        if said is not None and said[0]() is images and visible is None:
            return said[1][:count]
        return self.encoder.states(self.encoder.embed(self.patches(images), visible), count)

    @torch.no_grad()
    def entering(self, images: Tensor, block: int) -> Tensor:
        """What enters a block, counted from 0, [b, prefix + n, dim]; later blocks cost nothing."""
        x = self.encoder.embed(self.patches(images))
        return self.encoder.states(x, block)[-1] if block else x

    @torch.no_grad()
    def attention(self, images: Tensor) -> Tensor:
        """Attention of the class token, or of all patches, to each patch, [b, rows * cols].

        That of the last block, mean over the heads.
        """
        maps: list[Tensor] = []
        x = self.encoder.embed(self.patches(images))
        states = self.encoder.states(x)
        # Once more for its map: with maps a block rounds in another way.
        self.encoder.blocks[-1]([x, *states][-2], None, maps)
        self._said = weakref.ref(images), states
        asking = slice(0, 1) if self.encoder.shape.class_token else slice(self.prefix, None)
        return maps[-1][:, :, asking, self.prefix :].float().mean((1, 2))
