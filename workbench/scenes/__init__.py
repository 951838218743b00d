"""The one door for user interfaces: a scene's description in, arrays and numbers out."""

from workbench.scenes.compose import (
    Preview,
    Scene,
    activity,
    compose,
    forget_models,
    grid_of,
    lend_gpu,
    maps_of,
    preview,
    warm,
)
from workbench.scenes.export import Restored, data_uri, export_png, restore
from workbench.scenes.imported import Imported, import_mask
from workbench.scenes.leak import LeakMeter, leak
from workbench.scenes.paint import Paint, split_paint, with_drawn_map, with_paint, with_strategy
from workbench.scenes.spec import SceneSpec
from workbench.scenes.stack import Stack, stack_of, with_stack

__all__ = [
    "Imported",
    "LeakMeter",
    "Paint",
    "Preview",
    "Restored",
    "Scene",
    "SceneSpec",
    "Stack",
    "activity",
    "compose",
    "data_uri",
    "export_png",
    "forget_models",
    "grid_of",
    "import_mask",
    "leak",
    "lend_gpu",
    "maps_of",
    "preview",
    "restore",
    "split_paint",
    "stack_of",
    "warm",
    "with_drawn_map",
    "with_paint",
    "with_stack",
    "with_strategy",
]
