"""Two canvases through one ViT, merged on the way, and painted in full size by a light head."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.patches import unpatchify
from workbench.models.transformer import ViT, ViTShape

LEVELS = 4


class PaintingViT(nn.Module):
    """Painter's network: input and target canvas as two streams that become one after `merge`.

    Both streams share embedding and blocks and are told apart by a learnt token each; after block
    `merge` their mean goes on alone. The head reads four evenly spaced depths: a linear layer to
    pixels of `width` numbers, a 3 x 3 convolution, a norm, GELU and a 1 x 1 convolution.
    """

    def __init__(self, shape: ViTShape, merge: int, width: int) -> None:
        super().__init__()
        self.merge = min(merge, shape.depth)
        self.encoder = ViT(shape)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        self.input_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        self.target_token = nn.Parameter(torch.zeros(1, 1, shape.dim))
        rest = range(self.merge - 1, shape.depth)
        self.levels = [rest[max(0, len(rest) * k // LEVELS - 1)] for k in range(1, LEVELS + 1)]
        self.spread = nn.Linear(LEVELS * shape.dim, shape.patch**2 * width)
        self.blend = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.LayerNorm(width, shape.eps)
        self.paint = nn.Conv2d(width, 3, 1)

    def forward(self, inputs: Tensor, targets: Tensor, hidden: Tensor) -> Tensor:
        """Paint the target canvas.

        Args:
            inputs: patches of the input canvas [b, n, p], never hidden.
            targets: patches of the target canvas [b, n, p]; not read where hidden.
            hidden: bool [b, n].

        Returns:
            [b, 3, h, w], ImageNet-normalised.
        """
        vit = self.encoder
        place = vit.pos_embed[:, vit.pos_embed.shape[1] - vit.shape.tokens :]
        x = vit.patch_embed(inputs)
        y = torch.where(hidden.unsqueeze(-1), self.mask_token.to(x.dtype), vit.patch_embed(targets))
        both = torch.cat([x + place + self.input_token, y + place + self.target_token])
        found: dict[int, Tensor] = {}
        for i, block in enumerate(vit.blocks):
            both = block(both)
            if i == self.merge - 1:
                both = (both[: len(x)] + both[len(x) :]) / 2
            found[i] = both
        latent = torch.cat([vit.norm(found[i]) for i in self.levels], dim=-1)
        shape = vit.shape
        pixels = unpatchify(self.spread(latent), shape.rows, shape.cols, shape.patch)
        pixels = self.blend(pixels).movedim(1, -1)
        return self.paint(F.gelu(self.norm(pixels)).movedim(-1, 1))
