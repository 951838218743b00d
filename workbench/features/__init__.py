"""What single units of a network stand for: sparse latents, facets of a unit, codes of heads.

Names are looked up on first use, so that importing this package loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.features.codes import HeadCodes, masked_twins, rank_heads
    from workbench.features.facets import Facet, find_facets, visualise
    from workbench.features.learning import SaeConfig, SaeStep, learn
    from workbench.features.reading import Latents, read_latents, spliced
    from workbench.features.sparse_code import SparseCode
    from workbench.features.tokens import layer_tokens

_HOMES = {
    "Facet": "facets",
    "HeadCodes": "codes",
    "Latents": "reading",
    "SaeConfig": "learning",
    "SaeStep": "learning",
    "SparseCode": "sparse_code",
    "find_facets": "facets",
    "layer_tokens": "tokens",
    "learn": "learning",
    "masked_twins": "codes",
    "rank_heads": "codes",
    "read_latents": "reading",
    "spliced": "reading",
    "visualise": "facets",
}

__all__ = [
    "Facet",
    "HeadCodes",
    "Latents",
    "SaeConfig",
    "SaeStep",
    "SparseCode",
    "find_facets",
    "layer_tokens",
    "learn",
    "masked_twins",
    "rank_heads",
    "read_latents",
    "spliced",
    "visualise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench.features' has no attribute {name!r}")
    return getattr(import_module(f"workbench.features.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
