"""Eight small pictures, what an objective needs beside them, and its parts made ready."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from workbench.data.sets import DATASETS, Pictures
from workbench.masks import MASKS, Mask
from workbench.objectives import OBJECTIVES, Batch, EncoderShape, Loss, Objective
from workbench.runs.config import RunConfig
from workbench.runs.feeding import Feed
from workbench.runs.setting import Setting

EIGHT = 8
TINY = {"size": 8, "patch": 2, "dim": 32, "depth": 2, "heads": 2, "batch": EIGHT, "warmup": 0,
        "crop": 1.0, "flip": False, "threads": 1, "device": "cpu", "precision": "fp32"}  # fmt: skip


@dataclass
class Ready:
    """An objective with a fresh model, one batch and its mask."""

    config: RunConfig
    setting: Setting
    objective: Objective
    shape: EncoderShape
    model: nn.Module
    batch: Batch
    mask: Mask

    def loss(self, seed: int = 5, progress: float = 0.5) -> torch.Tensor:
        return self.parts(seed, progress).total

    def parts(self, seed: int = 5, progress: float = 0.5) -> Loss:
        torch.manual_seed(seed)
        now = self.objective.at(progress)
        return now.loss(self.model, self.batch, self.mask, 3, progress)


def data_for(objective: Objective) -> str:
    """The recipe of the first data set on this machine that gives what the objective takes."""
    usual = ["digits()"] + [f"{name}()" for name in DATASETS.names()]
    for recipe in usual:
        if recipe != "cifar10()" and objective.takes in DATASETS.parse(recipe).gives:
            return recipe
    raise AssertionError(f"no data set gives {objective.takes}")


def ready(recipe: str, mask: str = "", **knobs: object) -> Ready:
    """Build an objective on eight pictures; `mask` is its own by default."""
    objective = OBJECTIVES.parse(recipe)
    config = RunConfig(**{**TINY, "objective": recipe, "data": data_for(objective), **knobs})
    dataset = DATASETS.parse(config.data)
    pictures: Pictures = dataset.load(config.size, train=True).rows(slice(EIGHT))
    drawn = (mask or objective.default_mask) if objective.masked else ""
    strategy = MASKS.parse(drawn) if drawn else None
    setting = Setting(config, objective, strategy, dataset)
    model = setting.build(pictures, torch.device("cpu"))
    feed = Feed(config, objective, pictures, torch.device("cpu"))
    objective.at(0).prepare(model, feed.sample(EIGHT), config.seed)
    batch, shape = feed.batch(0), setting.shape(pictures)
    hidden = setting.mask(model, batch, objective.grid(shape), 0, 0.5)
    return Ready(config, setting, objective.at(0.5), shape, model, batch, hidden)


def changed(batch: Batch, hidden: np.ndarray, patch: int, seed: int = 0) -> Batch:
    """The batch with other pixels where bool [b, rows, cols] is set, in all its views."""
    where = torch.from_numpy(np.kron(hidden, np.ones((patch, patch), bool)))[:, None]
    generator = torch.Generator().manual_seed(seed)

    def other(images: torch.Tensor) -> torch.Tensor:
        return torch.where(where, torch.rand(images.shape, generator=generator), images)

    views = None if batch.views is None else torch.stack([other(v) for v in batch.views])
    images = other(batch.images) if views is None else views[0]
    return Batch(images, batch.ids, batch.labels, views, batch.extra, batch.seed, batch.step)
