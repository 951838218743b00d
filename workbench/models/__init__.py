"""Networks that reconstruct what a mask hides; the one place where a `Mask` becomes tensors.

Names are looked up on first use, so that importing this package loads no torch; `list_models`
never does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.models.catalog import ModelInfo, list_models
    from workbench.models.checkpoint import export_run, save_checkpoint
    from workbench.models.formats import load_encoder, load_reconstructor
    from workbench.models.loading import load_network, save_network
    from workbench.models.network import Network, network_of
    from workbench.models.reconstruction import Reconstruction, Reconstructor

__all__ = [
    "ModelInfo",
    "Network",
    "Reconstruction",
    "Reconstructor",
    "export_run",
    "list_models",
    "load_encoder",
    "load_network",
    "load_reconstructor",
    "network_of",
    "save_checkpoint",
    "save_network",
]

_HOMES = {
    "ModelInfo": "catalog",
    "list_models": "catalog",
    "export_run": "checkpoint",
    "save_checkpoint": "checkpoint",
    "load_encoder": "formats",
    "load_reconstructor": "formats",
    "load_network": "loading",
    "save_network": "loading",
    "Network": "network",
    "network_of": "network",
    "Reconstruction": "reconstruction",
    "Reconstructor": "reconstruction",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench.models' has no attribute {name!r}")
    return getattr(import_module(f"workbench.models.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
