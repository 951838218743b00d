"""Rebuild a picture from a code, and know the code among those of the batch (cMIM)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.masks import Mask
from workbench.models.initial import initialise
from workbench.models.mae import sincos_positions
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import Block, ViT, ViTShape
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective
from workbench.objectives.pictures import pasted
from workbench.objectives.sized import cifar10
from workbench.params import Knob

Weight = Annotated[float, Knob("weight of the term", 0, 1000, 0.1, None, 10)]


@dataclass(frozen=True, kw_only=True)
class Cmim(Objective):
    """A mutual information machine with a contrast between pictures; nothing is hidden.

    A code z = mean + spread * noise is drawn for each picture. L = squared error of the picture
    decoded from z / 2 + `prior` * (log q(z | x) + log N(z; 0, 1)) / -2 a number of z, which are the
    terms of the symmetric machine, + `contrast` * cross-entropy of telling by cosine which picture
    of the batch a code was drawn from. The positive is the picture itself: no augmented view is
    needed. Collapsed codes cost log(batch) there. MIM is short for that machine here, not for
    masked images.

    Livne, cMIM: A Contrastive Mutual Information Framework. No official file was found: this is the
    described mechanism in our reading, with a transformer as decoder. Probes see the patch tokens.
    """

    paper: ClassVar[str] = "arXiv:2502.19642"
    masked: ClassVar[bool] = False
    default_mask: ClassVar[str] = ""
    shareable: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10("cmim", 800, 30_000)

    width: Annotated[int, Knob("numbers of a code", 2, 65536, 8, None, 1024, fixed=True)] = 128
    decoder_depth: Annotated[int, Knob("blocks of the decoder", 1, 48, 1, None, 12, fixed=True)] = 2
    temperature: Annotated[
        float, Knob("temperature of the contrast", 0.001, 100, 0.05, None, 1)
    ] = 0.1  # fmt: skip
    contrast: Weight = 1.0
    prior: Weight = 0.01

    def build(self, shape: EncoderShape, seed: int) -> "CodeMachine":
        """A ViT, a linear layer to a code's mean and spread, and a transformer that decodes it."""
        model = CodeMachine(shape.vit, self.width, self.decoder_depth)
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """The three terms; `accuracy` is the share of codes whose picture is found."""
        own = cast(CodeMachine, model)
        patches = patchify(normalise(batch.images), own.encoder.shape.patch)
        mean, spread = own.code(patches)
        z = mean + spread * torch.randn_like(mean)
        rebuilt = (own.decode(z).float() - patches).square().mean() / 2
        log_q = -((z - mean) / spread).square() / 2 - spread.log()
        machine = -(log_q - z.square() / 2).mean() / 2
        contrast, right = told_apart(z, mean, self.temperature)
        total = rebuilt + self.prior * machine + self.contrast * contrast
        parts = {"rebuilt": rebuilt, "machine": machine, "contrast": contrast, "accuracy": right}
        return Loss(total, parts)

    def picture(self, model: nn.Module, batch: Batch, mask: Mask) -> dict[str, Tensor]:
        """The picture, and what is decoded from the mean of its code."""
        own = cast(CodeMachine, model)
        shape = own.encoder.shape
        said = own.decode(own.code(patchify(normalise(batch.images), shape.patch))[0])
        shown = pasted(batch.images, shape, torch.ones_like(said[..., 0], dtype=torch.bool), said)
        return {name: shown[name] for name in ("original", "reconstruction")}


def told_apart(codes: Tensor, means: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of which mean [b, width] a code [b, width] belongs to, and how often it is."""
    with torch.autocast(codes.device.type, enabled=False):
        z, m = F.normalize(codes.float(), dim=1), F.normalize(means.float(), dim=1)
        likeness = z @ m.T / temperature
    wanted = torch.arange(len(z), device=z.device)
    right = (likeness.argmax(1) == wanted).float().mean()
    return F.cross_entropy(likeness, wanted), right


class CodeMachine(nn.Module):
    """Encoder and decoder around a code of a few numbers."""

    def __init__(self, shape: ViTShape, width: int, depth: int) -> None:
        super().__init__()
        self.encoder = ViT(shape)
        self.to_code = nn.Linear(shape.dim, 2 * width)
        self.from_code = nn.Linear(width, shape.dim)
        self.blocks = nn.ModuleList(
            Block(shape.dim, shape.heads, shape.hidden, eps=shape.eps) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(shape.dim, shape.eps)
        self.pixels = nn.Linear(shape.dim, shape.patch**2 * 3)
        places = sincos_positions(shape.dim, shape.rows, shape.cols, 0)
        self.register_buffer("places", torch.from_numpy(places))

    def code(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and spread of the code, [b, width] each, float32."""
        tokens = self.encoder(patches)[:, self.encoder.shape.prefix :]
        mean, raw = self.to_code(tokens.mean(1)).float().chunk(2, dim=1)
        return mean, F.softplus(raw - 1) + 1e-3

    def decode(self, z: Tensor) -> Tensor:
        """Patches [b, n, patch * patch * 3] from codes [b, width]."""
        x = self.from_code(z).unsqueeze(1) + cast(Tensor, self.places)
        for block in self.blocks:
            x = block(x)
        return self.pixels(self.norm(x))
