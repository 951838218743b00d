"""A run's network as a folder that timm reads, to be used anywhere."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workbench.errors import BadInput
from workbench.runs.networks import run_network

if TYPE_CHECKING:
    from workbench.models.network import Network


def export_run(name: str, folder: str | Path, runs: Path | None = None, half: bool = False) -> Path:
    """Write what a run has trained as `timm.create_model("local-dir:FOLDER")` reads it.

    Args:
        name: `run:ID`, or a beginning of the id that is unique. A run that learnt labels brings its
            head and the names of its classes; of others it is the encoder, without a head.
        folder: made if it is not there; gets `config.json` and `model.safetensors`.
        runs: the folder of runs; by default that of WORKBENCH_HOME.
        half: write fp16, at half the size.

    Returns:
        The folder, which `load_network` reads, too. A convnet whose strides were made to fit small
        pictures is restored by `load_network` alone: timm has no argument for it.

    Raises:
        BadInput: no such run, an encoder that is none of timm's, or a folder that has files.
    """
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise BadInput(f"{place} is there already; give a folder that is new or empty.")
    return export_network(run_network(name, runs), place, half)


def export_network(
    found: "Network", place: Path, half: bool = False, model_args: Mapping[str, Any] | None = None
) -> Path:
    """Write a network as it is in memory, our own ViT or one of timm.

    Args:
        found: the network.
        place: folder, made if it is not there.
        half: write fp16, at half the size.
        model_args: arguments of a timm architecture that differ from timm's.

    Raises:
        BadInput: a network that is none of timm's, or a folder that cannot be written.
    """
    from workbench.models.headed import HeadedEncoder
    from workbench.models.loading import save_network
    from workbench.models.network import network_of
    from workbench.models.to_timm import as_timm
    from workbench.models.transformer import ViT

    module = cast(Any, found.module)
    arguments = dict(model_args or {})
    if isinstance(module, HeadedEncoder | ViT):
        head = module.head if isinstance(module, HeadedEncoder) and found.classes else None
        encoder = module.encoder if isinstance(module, HeadedEncoder) else module
        made, architecture, arguments = as_timm(encoder, head)
        found = replace(
            network_of(made, found.name),
            labels=found.labels, mean=found.mean, std=found.std, size=found.size,
        )  # fmt: skip
    elif getattr(module, "pretrained_cfg", None):
        architecture = str(module.pretrained_cfg["architecture"])
    else:
        raise BadInput(
            f"the encoder of {found.name} is a {type(module).__name__}, which timm does not have; "
            "take a run of a ViT or of a convnet of timm."
        )
    return save_network(found, place, architecture, model_args=arguments, half=half)
