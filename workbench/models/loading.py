"""Load any network for looking inside: ours, timm's with fresh weights, or a local checkpoint."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.models.catalog import named_networks
from workbench.models.formats import choose_device, encoder_and_colours, load_reconstructor, locate
from workbench.models.headed import fresh_weights
from workbench.models.headers import read_json
from workbench.models.network import Network, network_of
from workbench.models.safe_load import SUFFIXES, read_weights
from workbench.models.sparse import restride

TIMM = "timm:"
CONFIG, WEIGHTS, STRIDE = "config.json", "model.safetensors", "total_stride"
HEADS = ("head.", "fc.", "classifier.", "head_dist.")


def load_network(
    source: str | Path = "default",
    *,
    weights: str | Path | None = None,
    size: tuple[int, int] | None = None,
    classes: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Network:
    """Load a network to look inside or to change; nothing is downloaded.

    Args:
        source: "timm:NAME" for a timm architecture, a folder with timm's `config.json` and
            `model.safetensors` (as timm writes for a hub, and `save_network` here) or the name of
            one that is bundled or in the user's folder of models, or whatever `load_reconstructor`
            and `load_encoder` read: a model's name or a checkpoint's path.
        weights: with "timm:NAME", a file of its weights; without one they are drawn from `seed`.
        size: height and width of the pictures, for "timm:NAME"; by default timm's own.
        classes: number of classes, for "timm:NAME"; by default timm's, or as many as the file has.
        seed: of fresh weights.
        device: "auto", "cpu", "cuda" and so on.

    Returns:
        The network in evaluation mode, in single precision, and where its parts are.

    Raises:
        BadInput: no such model, weights that do not fit, or a damaged or hostile file.
    """
    place = choose_device(device)
    text = str(source)
    if text.startswith(TIMM):
        found = _from_timm(text.removeprefix(TIMM), weights, size, classes, seed)
    elif weights is not None or size is not None or classes is not None:
        raise BadInput(f"{shown(text)} brings its own weights and size; give them with timm:NAME.")
    else:
        named = named_networks()
        path = named.get(text) or locate(source, named)
        found = _from_folder(path) if _is_timm_folder(path) else _ours(source)
    found.module.to(place, torch.float32).eval()
    if found.whole is not None:
        found.whole.to(place, torch.float32).eval()
    return found


def save_network(
    network: Network,
    folder: str | Path,
    architecture: str,
    labels: tuple[str, ...] = (),
    model_args: Mapping[str, Any] | None = None,
    half: bool = False,
) -> Path:
    """Write a timm network as `load_network` and timm's own `local-dir:` read it.

    Args:
        network: of a timm architecture.
        folder: made if it is not there.
        architecture: timm's name for it, such as resnet18.
        labels: names of the classes.
        model_args: arguments of the architecture that differ from timm's.
        half: write fp16, at half the size.

    Returns:
        The folder. A convnet with another total stride than timm's is told so in its config:
        `load_network` restores it, timm does not.

    Raises:
        BadInput: a folder that cannot be written.
    """
    import json

    from safetensors.torch import save_file

    place = Path(folder)
    height, width = network.size
    record: dict[str, Any] = {
        "architecture": architecture,
        "num_classes": network.classes,
        "pretrained_cfg": {
            "input_size": [3, height, width],
            "mean": list(network.mean),
            "std": list(network.std),
            "num_classes": network.classes,
        },
    }
    record["model_args"] = dict(model_args or {})
    if network.kind != "convnet":
        record["model_args"]["img_size"] = [height, width]
    elif network.patch != stride_of(architecture):
        record[STRIDE] = network.patch
    if labels or network.labels:
        record["label_names"] = list(labels or network.labels)
    try:
        place.mkdir(parents=True, exist_ok=True)
        state = {k: v.detach().cpu().contiguous() for k, v in network.module.state_dict().items()}
        if half:
            state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
        save_file(state, place / WEIGHTS)
        (place / CONFIG).write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{place} cannot be written ({error.strerror}); choose another.") from None
    return place


def _ours(source: str | Path) -> Network:
    name = str(source)
    try:
        return network_of(load_reconstructor(source, precision="fp32"), name)
    except BadInput as refusal:
        if "decoder" not in str(refusal) and "plain ViT" not in str(refusal):
            raise
    try:
        encoder, mean, std = encoder_and_colours(source)
    except BadInput as refusal:
        if "plain ViT" not in str(refusal):
            raise
        told = str(refusal).rstrip(".")
        raise BadInput(f"{told}; or name what it is: timm:NAME with {name} as weights.") from None
    return replace(network_of(encoder, name), mean=mean, std=std)


def _from_timm(
    name: str,
    weights: str | Path | None,
    size: tuple[int, int] | None,
    classes: int | None,
    seed: int,
    more: Mapping[str, Any] | None = None,
) -> Network:
    """A timm architecture, filled from a file or from a seed."""
    import timm

    plain = name.partition(".")[0]
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", name) or not timm.is_model(plain):
        raise BadInput(
            f"timm has no model {shown(name)}; take for example timm:vit_tiny_patch16_224."
        )
    state = None if weights is None else read_weights(Path(weights))[0]
    if state is not None and classes is None:
        classes = _classes_in(state)
    size = size or (None if state is None else _size_in(state))
    made = _made(plain, size, classes, seed, dict(more or {}))
    if state is not None:
        _fill(made, state, name, weights)
    described = replace(network_of(made, f"{TIMM}{name}"), fresh=state is None)
    if size is not None:
        described = replace(described, size=described.size if described.depth else size)
    return described


def _made(
    name: str, size: tuple[int, int] | None, classes: int | None, seed: int, more: dict[str, Any]
) -> nn.Module:
    import timm

    if classes is not None:
        more["num_classes"] = classes
    with fresh_weights(seed):
        if size is None:
            return timm.create_model(name, pretrained=False, **more)
        try:
            return timm.create_model(name, pretrained=False, img_size=tuple(size), **more)
        except TypeError:  # convnets take any size
            with fresh_weights(seed):
                return timm.create_model(name, pretrained=False, **more)
        except (AssertionError, ValueError, RuntimeError) as error:
            raise BadInput(
                f"timm:{name} cannot be made for {size[0]} x {size[1]} px "
                f"({str(error)[:100]}); take multiples of its patch."
            ) from None


def _fill(made: nn.Module, state: dict[str, Tensor], name: str, origin: object) -> None:
    try:
        made.load_state_dict(state)
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise BadInput(
            f"{origin} does not fit timm:{name}: {first[:160]}; name the architecture that it was "
            "saved from."
        ) from None


def _size_in(state: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """The square pictures that a transformer's positions are for; None where that is not told."""
    positions, filters = state.get("pos_embed"), state.get("patch_embed.proj.weight")
    if positions is None or filters is None or positions.ndim != 3 or filters.ndim != 4:
        return None
    registers = state["reg_token"].shape[1] if "reg_token" in state else 0
    for prefix in (("cls_token" in state) + registers, 0):
        side = math.isqrt(max(0, positions.shape[1] - prefix))
        if side and side**2 + prefix == positions.shape[1]:
            return (side * filters.shape[2], side * filters.shape[3])
    return None


def _classes_in(state: Mapping[str, Tensor]) -> int | None:
    """How many classes a state dict's head has; 0 where it has none."""
    heads = [value for key, value in state.items() if key.startswith(HEADS) and value.ndim == 1]
    return len(heads[-1]) if heads else None


def _is_timm_folder(path: Path) -> bool:
    config = path / CONFIG
    return path.is_dir() and config.is_file() and "architecture" in read_json(config)


def _from_folder(folder: Path) -> Network:
    """A folder as timm writes it for a hub."""
    config = read_json(folder / CONFIG)
    files = [folder / WEIGHTS, *sorted(each for each in folder.iterdir())]
    found = next((each for each in files if each.is_file() and each.suffix in SUFFIXES), None)
    if found is None:
        raise BadInput(f"{folder} holds no weights beside its config.json; put {WEIGHTS} there.")
    cfg = cast("dict[str, Any]", config.get("pretrained_cfg") or {})
    arguments = cast("dict[str, Any]", config.get("model_args") or {})
    side = arguments.pop("img_size", None)
    classes = config.get("num_classes", cfg.get("num_classes"))
    size = None if side is None else (side, side) if isinstance(side, int) else tuple(side)
    described = _from_timm(
        str(config["architecture"]), found, size, classes, 0, _plain_arguments(arguments, folder)
    )
    stride = config.get(STRIDE, described.patch)
    if stride != described.patch:
        described = _restrided(described, stride, folder)
    labels = config.get("label_names") or cfg.get("label_names") or ()
    height, width = cfg.get("input_size", (3, *described.size))[1:]
    return replace(
        described,
        name=folder.name,
        mean=tuple(cfg.get("mean", described.mean)),
        std=tuple(cfg.get("std", described.std)),
        labels=tuple(map(str, labels)),
        size=described.size if described.depth else (int(height), int(width)),
    )


def stride_of(architecture: str) -> int:
    """Pixels that a place of the last map of timm's convnet stands for."""
    import timm

    with torch.device("meta"):
        return network_of(timm.create_model(architecture, pretrained=False)).patch


def _restrided(network: Network, stride: object, folder: Path) -> Network:
    """The same convnet with its first strides made 1 until all of them make `stride`."""
    if network.kind != "convnet" or not isinstance(stride, int):
        raise BadInput(
            f"{folder}/{CONFIG}: {STRIDE} is {shown(stride)}, wanted a whole number of pixels "
            "for a convnet; take it out."
        )
    restride(network.module, network.patch, stride, network.name)
    return network_of(network.module, network.name)


def _plain_arguments(arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Arguments of a timm model that are numbers, text or flags; others build no model here."""
    for name, value in arguments.items():
        if not isinstance(value, str | int | float | bool | None) or name.startswith("pretrained"):
            raise BadInput(
                f"{folder}/{CONFIG}: model_args has {shown(name)}={shown(value)}, wanted numbers, "
                "text or flags; take it out."
            )
    return arguments
