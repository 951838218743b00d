"""What model files say of themselves, read without torch: sizes and names, never the numbers."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from workbench.errors import BadInput, shown
from workbench.models.pickled import Described, Made, read_description

CARD_BYTES = 1 << 20
HEADER_LIMIT = 100 << 20
PICKLES = (".pt", ".pth", ".ckpt", ".bin")
SUFFIXES = (".safetensors", *PICKLES)
HF_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# (width, depth) -> heads of mae_vit_base_patch16, mae_vit_large_patch16, mae_vit_huge_patch14.
ENCODERS = {(768, 12): 12, (1024, 24): 16, (1280, 32): 16}
DECODERS = {(512, 8): 16}
ENCODER_NAMES = ("heads", "num_heads")
DECODER_NAMES = ("decoder_heads", "decoder_num_heads")
OFFICIAL = ("mask_token", "decoder_embed.weight", "decoder_pos_embed", "patch_embed.proj.weight")

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Header:
    """A model as its file describes it; `norm_pix` is None where the file is silent."""

    origin: str
    weights: Path
    rows: int
    cols: int
    patch: int
    norm_pix: bool | None


@dataclass(frozen=True)
class OfficialSizes:
    """Sizes of a facebookresearch/mae model; encoder and decoder as (width, depth, heads)."""

    side: int
    patch: int
    encoder: tuple[int, int, int]
    decoder: tuple[int, int, int]
    norm_pix: bool | None


def read_json(path: Path) -> dict[str, Any]:
    """Read a small json object.

    Raises:
        BadInput: missing, over 1 MB, not json, or not an object.
    """
    try:
        size = path.stat().st_size
        if size > CARD_BYTES:
            raise BadInput(f"{path} has {size} bytes, wanted at most {CARD_BYTES}; write it anew.")
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}); it must lie beside the weights."
        ) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} is not json text; write the card anew or fetch it again.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds {shown(found)}, wanted a json object; write it anew.")
    return cast(dict[str, Any], found)


def describe(path: Path) -> Header:
    """What a file or folder without a card of ours holds, if it can reconstruct.

    Reads facebookresearch/mae files with decoder, folders of transformers' `ViTMAEForPreTraining`
    and folders of a pretraining run.

    Raises:
        BadInput: what it lacks.
    """
    if path.is_dir():
        if (path / "config.json").is_file():
            return _from_transformers(path)
        if (path / "preset.json").is_file():
            return _from_run(path)
        raise BadInput(
            f"the folder {path} lacks config.json (a ViTMAEForPreTraining) and preset.json (a run "
            "of ours); put the whole folder of a model there."
        )
    shapes, stated = read_shapes(path)
    if not is_official(shapes):
        raise BadInput(f"{path} {_lack(path, shapes)}")
    sizes = official_sizes(path, shapes, stated)
    return Header("facebookresearch/mae", path, sizes.side, sizes.side, sizes.patch, sizes.norm_pix)


def _lack(path: Path, shapes: Shapes) -> str:
    """Why weights of no known kind cannot be used, as the end of a sentence."""
    if any(name.startswith("encoder.patch_embed") for name in shapes):
        return f"is a model of ours but lacks its card; put {path.stem}.json beside it."
    if any("embeddings.patch_embeddings" in name for name in shapes):
        return "has transformers' names but lacks its config.json; put the whole folder there."
    if "patch_embed.proj.weight" in shapes:
        missing = next(name for name in OFFICIAL if name not in shapes)
        return f"lacks a decoder ({missing}), so it cannot reconstruct; its encoder alone is there."
    return (
        f"lacks the weights of a masked autoencoder ({OFFICIAL[-1]} and a decoder); give a "
        "facebookresearch/mae file or a ViTMAEForPreTraining folder."
    )


def read_shapes(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """Names and shapes of the tensors in a weights file, and the options saved beside them.

    Raises:
        BadInput: not a weights file, damaged, or a pickle that asks for code.
    """
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else HEADER_LIMIT + 1
            text = file.read(length) if length <= HEADER_LIMIT else b""
        try:
            entries = {k: v for k, v in json.loads(text).items() if k != "__metadata__"}
            end = max((v["data_offsets"][1] for v in entries.values()), default=0)
            shapes = {name: tuple(int(n) for n in v["shape"]) for name, v in entries.items()}
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            raise BadInput(f"{path} is no safetensors file; fetch it again.") from None
        held = path.stat().st_size - 8 - length
        if end > held:
            raise BadInput(
                f"{path} is truncated: it holds {held} bytes of weights, its header promises "
                f"{end}; fetch it again."
            )
        return shapes, {}
    found, stated = read_description(path), dict[str, Any]()
    if isinstance(found, dict):
        outer = cast(dict[Any, Any], found)
        for key in ("model", "state_dict"):
            if isinstance(outer.get(key), dict):
                args = outer.get("args")
                stated = args.state if isinstance(args, Made) else {}
                found = outer[key]
                break
    pairs = cast(dict[Any, Any], found).items() if isinstance(found, dict) else ()
    tensors = {
        str(k).removeprefix("module."): v.shape for k, v in pairs if isinstance(v, Described)
    }
    return tensors, stated


def is_official(names: Mapping[str, object]) -> bool:
    """Whether these are the names of the official pre-training model with its decoder."""
    return all(name in names for name in OFFICIAL)


def official_sizes(
    path: Path,
    shapes: Shapes,
    stated: Mapping[str, Any],
    heads: int | None = None,
    decoder_heads: int | None = None,
) -> OfficialSizes:
    """Sizes of a facebookresearch/mae model from the shapes of its tensors.

    Args:
        path: the file, for sentences.
        shapes: of the tensors, by name.
        stated: the options saved in the file, {} if there are none.
        heads: attention heads of the encoder where neither size nor options tell.
        decoder_heads: the same of the decoder.

    Raises:
        BadInput: heads unknown, or a grid that is not square.
    """
    weight, narrow = shapes["patch_embed.proj.weight"], shapes["decoder_embed.weight"]
    places = shapes["decoder_pos_embed"]
    count = places[1] - 1 if len(places) == 3 else 0
    side = math.isqrt(max(count, 0))
    if len(weight) != 4 or len(narrow) != 2 or count < 1 or side * side != count:
        raise BadInput(
            f"{path} has {count} patches, wanted a square grid as facebookresearch/mae has; "
            "convert it to the Hugging Face format."
        )
    size = (weight[0], block_count(shapes, "blocks."))
    small = (narrow[0], block_count(shapes, "decoder_blocks."))
    own = _heads(path, "heads", heads, stated, ENCODER_NAMES, ENCODERS.get(size), size)
    small_heads = _heads(
        path, "decoder_heads", decoder_heads, stated, DECODER_NAMES, DECODERS.get(small), small
    )
    said = stated.get("norm_pix_loss")
    norm_pix = said if isinstance(said, bool) else None
    return OfficialSizes(side, weight[2], (*size, own), (*small, small_heads), norm_pix)


def block_count(names: Mapping[str, object], prefix: str) -> int:
    """How many numbered blocks have names that start with `prefix`."""
    return len({key[len(prefix) :].split(".")[0] for key in names if key.startswith(prefix)})


def _heads(
    path: Path,
    option: str,
    given: int | None,
    stated: Mapping[str, Any],
    names: tuple[str, ...],
    official: int | None,
    size: tuple[int, int],
) -> int:
    """Heads as the caller says, else as the file's options say, else as official sizes have."""
    if given is not None:
        if type(given) is not int or given < 1:
            raise BadInput(f"{option} is {shown(given)}, wanted a whole number from 1; pass 12.")
        return given
    found = [stated[name] for name in names if type(stated.get(name)) is int and stated[name] > 0]
    if found:
        return found[0]
    if official is None:
        raise BadInput(
            f"{path} does not say how many attention heads its {size[1]} blocks of width {size[0]} "
            f"have, and that is no official size; pass {option}=."
        )
    return official


def _from_transformers(folder: Path) -> Header:
    origin = folder / "config.json"
    config = read_transformers(origin)
    rows, cols, patch = transformers_grid(config, origin)
    norm_pix = config.get("norm_pix_loss", False)
    if type(norm_pix) is not bool:
        raise BadInput(f"{origin}: norm_pix_loss is {shown(norm_pix)}, wanted true or false.")
    weights = transformers_weights(folder)
    shapes, _ = read_shapes(weights)
    if not any(name.endswith("decoder_pred.weight") for name in shapes):
        raise BadInput(
            f"{weights} lacks a decoder (decoder.decoder_pred), so it cannot reconstruct; give a "
            "ViTMAEForPreTraining."
        )
    return Header("transformers ViTMAEForPreTraining", weights, rows, cols, patch, norm_pix)


def read_transformers(path: Path) -> dict[str, Any]:
    """The config.json of a ViTMAE; BadInput for another model type."""
    config = read_json(path)
    kind = config.get("model_type")
    if kind != "vit_mae":
        raise BadInput(
            f"{path} has model_type {shown(kind)}, wanted 'vit_mae'; "
            "give the folder of a ViTMAEForPreTraining."
        )
    return config


def transformers_weights(folder: Path) -> Path:
    """The file of weights in a folder of transformers; BadInput where there is none."""
    found = [folder / name for name in HF_WEIGHTS if (folder / name).is_file()]
    if not found:
        raise BadInput(
            f"{folder} has neither {HF_WEIGHTS[0]} nor {HF_WEIGHTS[1]}; "
            "fetch the weights in one file beside config.json."
        )
    return found[0]


def transformers_grid(config: Mapping[str, Any], origin: Path) -> tuple[int, int, int]:
    """Patch rows, cols and side in pixels of a ViTMAE; BadInput for what no such model has."""
    sides = _pair(config.get("image_size", 224), "image_size", origin)
    patches = _pair(config.get("patch_size", 16), "patch_size", origin)
    rows, cols = sides[0] // patches[0], sides[1] // patches[1]
    # transformers keeps positions as a square table even where the picture is not square.
    side = math.isqrt(rows * cols)
    if patches[0] != patches[1] or side * side != rows * cols or side < 1:
        raise BadInput(
            f"{origin} has pictures of {sides} px in patches of {patches}, wanted square patches "
            "whose count is a square; transformers itself can build no other."
        )
    return rows, cols, patches[0]


def _pair(value: object, name: str, origin: Path) -> tuple[int, int]:
    values = cast(list[object], value) if isinstance(value, list) else [value, value]
    if len(values) == 2:
        first, second = values
        if type(first) is int and type(second) is int and min(first, second) > 0:
            return first, second
    raise BadInput(f"{origin}: {name} is {shown(value)}, wanted one or two whole numbers.")


def _from_run(folder: Path) -> Header:
    origin = folder / "preset.json"
    preset, weights = read_json(origin), folder / "state.pt"
    for name in ("size", "patch"):
        if type(preset.get(name)) is not int or preset[name] < 1:
            raise BadInput(f"{origin}: {name} is {shown(preset.get(name))}, wanted a whole number.")
    norm_pix = preset.get("norm_pix")
    if type(norm_pix) is not bool or not weights.is_file():
        raise BadInput(
            f"{folder} has norm_pix {shown(norm_pix)} and {'a' if weights.is_file() else 'no'} "
            "state.pt, wanted True or False and a state; give the folder of a pretraining."
        )
    side = preset["size"] // preset["patch"]
    return Header("pretraining run", weights, side, side, preset["patch"], norm_pix)
