"""The one door for user interfaces: a scene's description in, arrays and numbers out."""

from workbench.scenes.compose import (
    Preview,
    Scene,
    activity,
    compose,
    forget_models,
    grid_of,
    maps_of,
    preview,
    warm,
)
from workbench.scenes.export import Restored, data_uri, export_png, restore
from workbench.scenes.leak import LeakMeter, leak
from workbench.scenes.paint import Paint, split_paint, with_drawn_map, with_paint, with_strategy
from workbench.scenes.spec import SceneSpec

__all__ = [
    "LeakMeter",
    "Paint",
    "Preview",
    "Restored",
    "Scene",
    "SceneSpec",
    "activity",
    "compose",
    "data_uri",
    "export_png",
    "forget_models",
    "grid_of",
    "leak",
    "maps_of",
    "preview",
    "restore",
    "split_paint",
    "warm",
    "with_drawn_map",
    "with_paint",
    "with_strategy",
]
