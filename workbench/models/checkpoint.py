"""Our own checkpoint format: safetensors in half precision beside a json card."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.models.assembly import assemble, assemble_tokens
from workbench.models.catalog import (
    RUN_CARD,
    RUN_WEIGHTS,
    SCHEMA,
    TOKENS,
    file_hash,
    newest_weights,
    read_card,
)
from workbench.models.headers import read_json
from workbench.models.mae import DecoderShape, MaskedAutoencoder
from workbench.models.patches import IMAGENET_MEAN, IMAGENET_STD, normalise, patchify
from workbench.models.positions import Stretch
from workbench.models.safe_load import read_weights
from workbench.models.token_encoder import TokenEncoder
from workbench.models.transformer import ViTShape


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model with a decoder as a file described it.

    `norm_pix` is None where the file does not say. `grid` is rows and cols of its own pictures,
    `mean` and `std` what its pictures are normalised by, `stretch` how its decoder's positions move
    to other grids, `hash` the SHA-256 of the weights file.
    """

    model: MaskedAutoencoder
    card: dict[str, Any]
    norm_pix: bool | None
    grid: tuple[int, int]
    hash: str
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    stretch: Stretch = "plane"
    notes: tuple[str, ...] = field(default=())


def described(
    name: str,
    origin: str,
    shape: ViTShape,
    decoder: DecoderShape,
    norm_pix: bool | None,
    digest: str,
) -> dict[str, Any]:
    """A card for a model that came without one; `norm_pix` None means that its file is silent."""
    return {
        "name": name,
        "format": origin,
        "norm_pix": norm_pix,
        "shape": asdict(shape),
        "decoder": asdict(decoder),
        "sha256": digest,
    }


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of ours from its .safetensors or .json file.

    Raises:
        BadInput: see `read_card` and `read_weights`; a hash that differs from the card's.
    """
    weights, note = path.with_suffix(".safetensors"), path.with_suffix(".json")
    card = read_card(note)
    state, _ = read_weights(weights)
    found = file_hash(weights)
    if found != card["sha256"]:
        raise BadInput(
            f"{weights} has SHA-256 {found[:12]}..., its card says {card['sha256'][:12]}...; the "
            "weights were changed or damaged, fetch both files again."
        )
    try:
        shape, decoder = ViTShape(**card["shape"]), DecoderShape(**card["decoder"])
    except TypeError as error:
        raise BadInput(
            f"{note}: {error}; update the workbench or export the model again."
        ) from None
    return Checkpoint(
        model=assemble(state, shape, decoder, weights),
        card=card,
        norm_pix=card["norm_pix"],
        grid=(shape.rows, shape.cols),
        hash=found,
    )


def save_checkpoint(
    model: MaskedAutoencoder, path: Path | str, card: Mapping[str, Any], *, number: str = "auto"
) -> dict[str, Any]:
    """Write `path` (.safetensors) in half precision and its card beside it, each atomically.

    Args:
        model: the model, any precision.
        path: where the weights go; the card takes the ending .json.
        card: what is known of the model; `norm_pix` (bool) is required, `title`, `data`, `steps`
            and the like are free. Schema, shapes, number format, its cost and the hash are added.
        number: "fp16", "bf16", or "auto" for the one whose predictions differ less.

    Returns:
        The card as written.

    Raises:
        BadInput: no `norm_pix`, another ending, or weights that are not finite.
    """
    from safetensors.torch import save_file

    path = Path(path)
    if path.suffix != ".safetensors":
        raise BadInput(f"{path} ends in {shown(path.suffix)}, wanted .safetensors; rename it.")
    if type(card.get("norm_pix")) is not bool:
        raise BadInput(
            f"the card's norm_pix is {shown(card.get('norm_pix'))}, wanted True or False."
        )
    cost = rounding_cost(model)
    if number == "auto":
        number = min(cost, key=lambda name: cost[name])
    if not np.isfinite(cost[number]):
        raise BadInput(f"the weights are not finite in {number}; train again or take bf16.")
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[number]
    state = {k: v.detach().to("cpu", dtype).contiguous() for k, v in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(state, temporary, metadata={"format": "pt"})
    temporary.chmod(0o644)  # safetensors writes for the owner's eyes alone
    full = {
        **card,
        "schema": SCHEMA,
        "shape": asdict(model.shape),
        "decoder": asdict(model.decoder_shape),
        "numbers": number,
        "rounding_cost": {k: float(f"{v:.3g}") for k, v in cost.items() if np.isfinite(v)},
        "bytes": temporary.stat().st_size,
        "sha256": file_hash(temporary),
    }
    written = path.with_name(f".{path.stem}.{os.getpid()}.json")
    written.write_text(json.dumps(full, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)
    written.replace(path.with_suffix(".json"))
    return full


def rounding_cost(model: MaskedAutoencoder) -> dict[str, float]:
    """Mean squared change of the prediction when weights are rounded to fp16 and to bf16.

    Measured in fp32 arithmetic on 8 smooth random pictures with three quarters of the patches
    hidden, in the model's own space.
    """
    shape, n = model.shape, model.shape.tokens
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(8, 3, 6, 6, generator=generator)
    size = (shape.rows * shape.patch, shape.cols * shape.patch)
    images = torch.nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    patches = patchify(normalise(images), shape.patch)
    order = torch.rand(8, n, generator=generator).argsort(1)
    keep = max(1, n // 4)
    state = {k: v.detach().to("cpu", torch.float32) for k, v in model.state_dict().items()}

    @torch.inference_mode()
    def predict(dtype: torch.dtype) -> Tensor:
        rounded = {k: v.to(dtype).float() for k, v in state.items()}
        copy = assemble(rounded, shape, model.decoder_shape, "the model")
        return copy(patches, order[:, :keep], order[:, keep:], everything=True)

    exact = predict(torch.float32)
    costs: dict[str, float] = {}
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        cost = float((predict(dtype) - exact).square().mean())
        costs[name] = cost if np.isfinite(cost) else float("inf")
    return costs


def export_run(run: Path | str, path: Path | str, card: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the state of a pretraining folder into a checkpoint; returns the card as written.

    Args:
        run: folder with `state.pt` and `preset.json`.
        path: the .safetensors file to write.
        card: what to say of the model; `norm_pix`, steps and preset are added.

    Raises:
        BadInput: a folder without a run, or a state that does not fit its preset.
    """
    found = read_run(Path(run))
    known = {key: found.card[key] for key in ("norm_pix", "steps", "preset")}
    return save_checkpoint(found.model, path, {**known, **card})


def read_run(run: Path) -> Checkpoint:
    """Read the model of a pretraining folder as it stands; raises as `export_run` does."""
    preset, state_path = read_json(run / "preset.json"), run / "state.pt"
    state, top = read_weights(state_path)
    norm_pix, steps = preset.get("norm_pix"), top.get("step")
    if type(norm_pix) is not bool or type(steps) is not int:
        raise BadInput(
            f"{run} has norm_pix {shown(norm_pix)} and step {shown(steps)}, wanted True or False "
            "and a whole number; give the folder of a pretraining."
        )
    shape, decoder = _shapes(preset, run / "preset.json")
    digest = file_hash(state_path)
    card = described(run.name, "pretraining run", shape, decoder, norm_pix, digest)
    return Checkpoint(
        model=assemble(state, shape, decoder, state_path),
        card={**card, "steps": steps, "preset": preset},
        norm_pix=norm_pix,
        grid=(shape.rows, shape.cols),
        hash=digest,
    )


def run_card(model: nn.Module, norm_pix: object, title: str) -> dict[str, Any] | None:
    """Return the card of a model in training, None for one that does not fill in pixels.

    Args:
        model: that a run trains.
        norm_pix: whether it predicts patches normalised one by one; None for an objective that
            predicts something else.
        title: what people call the run.
    """
    # Exactly these: what derives from them asks for more than a picture and a mask.
    if type(norm_pix) is not bool or type(model) not in (MaskedAutoencoder, TokenEncoder):
        return None
    assert isinstance(model, MaskedAutoencoder | TokenEncoder)
    own = model.shape if isinstance(model, MaskedAutoencoder) else model.encoder.shape
    shape = {each.name: getattr(own, each.name) for each in fields(ViTShape)}
    decoder = asdict(model.decoder_shape) if isinstance(model, MaskedAutoencoder) else TOKENS
    state = model.state_dict()
    with torch.device("meta"):
        if isinstance(model, MaskedAutoencoder):
            plain = MaskedAutoencoder(ViTShape(**shape), model.decoder_shape).state_dict()
        else:
            plain = TokenEncoder(ViTShape(**shape), own.patch**2 * 3).state_dict()
    if any(name not in state or state[name].shape != plain[name].shape for name in plain):
        return None
    told = {"schema": SCHEMA, "title": title, "norm_pix": norm_pix, "sha256": ""}
    return {**told, "shape": shape, "decoder": decoder}


def is_trained(folder: Path) -> bool:
    """Whether this is the folder of a run whose model fills in pixels."""
    return (folder / RUN_CARD).is_file() and (folder / RUN_WEIGHTS).is_dir()


def read_trained(run: Path) -> Checkpoint:
    """Read the model of a run from its newest checkpoint.

    Raises:
        BadInput: there is none yet, or it cannot be read.
    """
    card, weights = read_card(run / RUN_CARD), newest_weights(run)
    if weights is None:
        raise BadInput(f"{run.name} has no checkpoint yet; wait for its first, or train it.")
    tensors, _ = read_weights(weights)
    own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    shape = ViTShape(**card["shape"])
    if card["decoder"] == TOKENS:
        model: MaskedAutoencoder = assemble_tokens(own, shape, weights)
    else:
        model = assemble(own, shape, DecoderShape(**card["decoder"]), weights)
    return Checkpoint(
        model=model,
        card={**card, "name": run.name, "steps": int(weights.stem.removeprefix("step-"))},
        norm_pix=card["norm_pix"],
        grid=(shape.rows, shape.cols),
        hash=file_hash(weights),
    )


def _shapes(preset: Mapping[str, Any], origin: Path) -> tuple[ViTShape, DecoderShape]:
    names = ("size", "patch", "dim", "depth", "heads")
    names += tuple(f"decoder_{name}" for name in ("dim", "depth", "heads"))
    for name in names:
        if type(preset.get(name)) is not int or preset[name] < 1:
            raise BadInput(f"{origin}: {name} is {shown(preset.get(name))}, wanted a whole number.")
    side = preset["size"] // preset["patch"]
    parts: list[dict[str, Any]] = []
    for start in ("", "decoder_"):
        part = {name: preset[start + name] for name in ("dim", "depth", "heads")}
        parts.append({**part, "hidden": 4 * part["dim"]})
    shape = ViTShape(rows=side, cols=side, patch=preset["patch"], **parts[0])
    return shape, DecoderShape(**parts[1])
