"""What a network looks at and what its answer rests on: attention maps, relevance, attribution.

Names are looked up on first use, so that importing this package loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.explain.attention import AttentionMaps, attention_maps, decoder_maps
    from workbench.explain.attributing import Stopped, explain
    from workbench.explain.attribution import Attribution
    from workbench.explain.class_relevance import relevance
    from workbench.explain.fast import fast_maps
    from workbench.explain.heads import HeadStep, head_importance, which_heads
    from workbench.explain.measures import HeadMeasures, head_measures
    from workbench.explain.rolling import rollout
    from workbench.explain.similarity import class_similarity

_HOMES = {
    "Attribution": "attribution",
    "Stopped": "attributing",
    "explain": "attributing",
    "AttentionMaps": "attention",
    "HeadMeasures": "measures",
    "HeadStep": "heads",
    "attention_maps": "attention",
    "class_similarity": "similarity",
    "decoder_maps": "attention",
    "fast_maps": "fast",
    "head_importance": "heads",
    "head_measures": "measures",
    "relevance": "class_relevance",
    "rollout": "rolling",
    "which_heads": "heads",
}

__all__ = [
    "AttentionMaps",
    "Attribution",
    "HeadMeasures",
    "HeadStep",
    "Stopped",
    "attention_maps",
    "class_similarity",
    "decoder_maps",
    "explain",
    "fast_maps",
    "head_importance",
    "head_measures",
    "relevance",
    "rollout",
    "which_heads",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench.explain' has no attribute {name!r}")
    return getattr(import_module(f"workbench.explain.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
