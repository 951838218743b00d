"""First weights: one rule for every network that is trained here."""

from typing import cast

import torch
from torch import Tensor, nn

from workbench.models.mae import sincos_positions
from workbench.models.transformer import PatchEmbed, ViT

TOKEN_SPREAD = 0.02


def initialise(model: nn.Module, seed: int) -> None:
    """Set weights as facebookresearch/mae does: Xavier linears, sin-cos places, normal tokens.

    An encoder's places only start there and are learnt; officially they stay fixed.
    Convolutions of patch embeddings count as linears. Tokens are the parameters whose name ends in
    `token`. What is frozen, such as a teacher, and other parameters stay as they are.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Linear) and cast(Tensor, weight).requires_grad:
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                nn.init.zeros_(module.bias)
        if isinstance(module, PatchEmbed) and module.proj.weight.requires_grad:
            nn.init.xavier_uniform_(module.proj.weight.data.flatten(1), generator=generator)
            nn.init.zeros_(cast(Tensor, module.proj.bias))
        if isinstance(module, ViT) and module.pos_embed.requires_grad:
            module.pos_embed.data.copy_(places(module))
    for name, parameter in model.named_parameters():
        if name.endswith("token") and parameter.requires_grad:
            nn.init.normal_(parameter, std=TOKEN_SPREAD, generator=generator)


def places(vit: ViT) -> Tensor:
    """Sin-cos positions that an encoder's own table begins at, float32 [1, positions, dim]."""
    shape = vit.shape
    prefix = vit.pos_embed.shape[1] - shape.tokens
    return torch.from_numpy(sincos_positions(shape.dim, shape.rows, shape.cols, prefix))
