"""Pretrain a trained encoder further, from its start again, beside what it had become."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.masks import Mask
from workbench.models import load_encoder
from workbench.models.assembly import assemble_encoder, regridded
from workbench.models.mae import MaskedAutoencoder
from workbench.models.patches import normalise, patchify
from workbench.models.transformer import ViT, ViTShape
from workbench.objectives.decoding import Decoding
from workbench.objectives.objective import Batch, EncoderShape, Loss, Objective, indices
from workbench.objectives.sized import cifar10
from workbench.params import Knob

SAME = ("patch", "dim", "depth", "heads", "hidden")
PREFIX = "model.encoder."
Weight = Annotated[float, Knob("weight of the distance to the teacher", 0, 1000, 0.1, None, 10)]


@dataclass(frozen=True, kw_only=True)
class SelfDistil(Decoding, Objective):
    """MAE + `weight` * mean |h - stopgrad h_teacher|^2 on the tokens of the whole picture.

    Two runs. The first has no `teacher` and goes on with MAE from `start`. The second names the
    first as `teacher`, begins at `start` again, not at the teacher, and keeps its states near those
    the teacher has. `start` is an encoder that can be loaded, such as any plain ViT of timm in a
    file; patch, dim, depth, heads and mlp of the run must be its own, positions are interpolated.
    An empty `start` is the run's own first weights, the same in both runs of one seed.

    Lee et al., Self-Distillation for Further Pre-training of Transformers. No official repository
    is confirmed: this is the described mechanism in our reading.
    """

    paper: ClassVar[str] = "arXiv:2210.02871"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = cifar10(
        "self_distil", 250, 12_000, small='self_distil(start="default")',
        large='self_distil(start="default")', size=96, patch=12, depth=12, lr=3e-4, muon_lr=1e-3,
    )  # fmt: skip

    start: Annotated[str, Knob("name or path of the encoder to begin with; empty for fresh")] = ""
    teacher: Annotated[str, Knob("folder or checkpoint of the first run; empty for none")] = ""
    weight: Weight = 1.0

    def build(self, shape: EncoderShape, seed: int) -> MaskedAutoencoder:
        """A masked autoencoder whose encoder begins at `start`, and the frozen teacher.

        Raises:
            BadInput: an encoder that cannot be read, or of another shape than the run's.
        """
        start = begun(self.start, shape) if self.start else None
        vit = shape.vit if start is None else start.shape
        model = MaskedAutoencoder(vit, self.decoder)
        model.initialise(seed)
        if start is not None:
            model.encoder.load_state_dict(start.state_dict())
        if self.teacher:
            model.teacher = read_teacher(Path(self.teacher), vit).requires_grad_(False)
        return model

    def loss(self, model: nn.Module, batch: Batch, mask: Mask, step: int, progress: float) -> Loss:
        """Both terms; without a teacher MAE's alone."""
        own = cast(MaskedAutoencoder, model)
        patches = patchify(normalise(batch.images), own.shape.patch)
        latent = own.encoder(patches, indices(mask, patches)[0])
        pixels = self.pixel_errors(own, patches, latent, mask).mean()
        if not self.teacher:
            return Loss(pixels, {"pixels": pixels})
        with torch.no_grad():
            wanted: Tensor = cast(ViT, own.teacher)(patches).float()
        distance = (own.encoder(patches).float() - wanted).square().mean()
        parts = {"pixels": pixels, "distance": distance}
        return Loss(pixels + self.weight * distance, parts)


def begun(source: str, shape: EncoderShape) -> ViT:
    """Load an encoder, its positions on the run's grid.

    Raises:
        BadInput: no such encoder, or another shape than the run's.
    """
    found = load_encoder(source).float()
    old = found.shape
    other = {
        name: getattr(old, name) for name in SAME if getattr(old, name) != getattr(shape, name)
    }
    if other:
        said = ", ".join(f"{k} {getattr(shape, k)} and not {v}" for k, v in other.items())
        take = f"patch={old.patch}, dim={old.dim}, depth={old.depth}, heads={old.heads}"
        raise BadInput(
            f"the run has {said} of {shown(source)}; take {take}, mlp={old.hidden / old.dim:g}."
        )
    return regridded(found, shape.rows, shape.cols, source)


def read_teacher(path: Path, shape: ViTShape) -> ViT:
    """Read the encoder of a run's newest checkpoint; nothing in the file is run.

    Raises:
        BadInput: no such run or checkpoint, or of another shape.
    """
    files = sorted((path / "checkpoints").glob("step-*.safetensors")) if path.is_dir() else [path]
    try:
        with safe_open(files[-1], framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(PREFIX)]
            state = {name.removeprefix(PREFIX): file.get_tensor(name) for name in names}
    except (IndexError, OSError, SafetensorError) as error:
        raise BadInput(
            f"{shown(str(path), 200)} holds no checkpoint that can be read "
            f"({str(error)[:120]}); give the folder of the first run."
        ) from None
    return assemble_encoder(state, shape, path)
