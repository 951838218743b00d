"""Batches as a pure function of (seed, step): order, augmentation, and which rows they hold."""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.data.augment import augmented, augmented_maps, plain, plain_maps
from workbench.data.random_fields import varied
from workbench.data.sets import Pictures
from workbench.objectives import Batch, Objective
from workbench.runs.config import RunConfig
from workbench.seeds import Noise

PREPARE_SAMPLE = 2048  # rows that `Objective.prepare` is given at most
VIEW_NOISE = 12  # branches 12, 13, ...: one a view, apart from those of masks and losses
PLAIN = ("images", "labelled")  # they have no maps that must stay on their pixels
RESIDENT_SHARE = 0.25  # of a GPU's free memory that decoded pictures may take


class Feed:
    """The batches of a run. Every epoch has an order of its own; batches run on over its end.

    `first` and `rows` choose a part of every batch, for processes that share one.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: Objective,
        pictures: Pictures,
        device: torch.device,
        first: int = 0,
        rows: int | None = None,
    ) -> None:
        self.config, self.objective, self.device = config, objective, device
        self.pictures = pictures
        self.plane = pictures.images.shape[-3:-1]
        self.first, self.count = first, config.batch if rows is None else rows
        with warnings.catch_warnings():  # pictures mapped from a file cannot be written, nor are
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            self.pixels = torch.from_numpy(pictures.images)
        self.here = False
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.pixels.nbytes < RESIDENT_SHARE * free:
                self.pixels, self.here = self.pixels.to(device), True

    def ids(self, step: int, *, whole: bool = False) -> NDArray[np.int64]:
        """Return the rows of the data set that step `step` reads, int64 [count].

        With `whole` those of all processes that share the batch.
        """
        n, start = len(self.pictures), step * self.config.batch
        places = np.arange(start, start + self.config.batch)
        if not whole:
            places = places[self.first : self.first + self.count]
        out = np.empty(len(places), np.int64)
        for epoch in np.unique(places // n):
            here = places // n == epoch
            out[here] = _order(self.config.seed, int(epoch), n)[places[here] % n]
        return out

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, on the device."""
        ids, views = self.ids(step), self.objective.views
        raw = self._rows(ids)
        noises = [
            Noise(self.config.seed, step, self.first, self.count).branch(VIEW_NOISE + view)
            for view in range(views)
        ]
        seen = [self._view(raw, noise) for noise in noises]
        stacked = torch.stack(seen) if views > 1 else None
        return self._batch(seen[0], ids, stacked, step, self.first, noises[0])

    def shown(self, count: int) -> Batch:
        """Return the first rows as they are, for pictures of a run that can be compared."""
        return self.rows(0, min(count, len(self.pictures)))

    def rows(self, first: int, last: int) -> Batch:
        """Return rows first to last - 1 as they are, for measures; row i has the noise of i."""
        ids = np.arange(first, last, dtype=np.int64)
        images = self._view(self._rows(ids), None)
        views = torch.stack([images] * self.objective.views) if self.objective.views > 1 else None
        return self._batch(images, ids, views, 0, first, None)

    def sample(self, count: int) -> Tensor:
        """Return evenly spaced rows as they are, in the form of `Batch.images`, for `prepare`."""
        ids = np.linspace(0, len(self.pictures) - 1, min(count, len(self.pictures)))
        return self._view(self._rows(ids.astype(np.int64)), None)

    def _view(self, raw: Tensor, noise: Noise | None) -> Tensor:
        """Bring rows to the encoder's size: augmented by the noise, or as they are for None.

        Frames, views and what else stands in one row are cut and mirrored alike, so that what
        belongs together stays together.
        """
        config, frames = self.config, raw.shape[1] if raw.ndim == 5 else 0
        flat = raw.movedim(1, 3).flatten(3) if frames else raw
        if noise is None:
            out = plain(flat, config.size)
        else:
            out = augmented(
                flat, noise, config.size, crop=config.crop, flip=config.flip, color=config.color
            )
            out = varied(out, noise, config.field)
        return out.unflatten(1, (frames, -1)) if frames else out

    def _maps(self, values: NDArray[Any], noise: Noise | None) -> Tensor:
        """Cut labels, depth and the like as the pictures are cut; others stay as they are."""
        found = torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
        if found.ndim < 3 or found.shape[-2:] != self.plane or self.objective.takes in PLAIN:
            return found
        flat, size = found.reshape(len(found), -1, *self.plane), self.config.size
        if noise is None:
            out = plain_maps(flat, size)
        else:
            out = augmented_maps(flat, noise, size, crop=self.config.crop, flip=self.config.flip)
        return out.reshape(*found.shape[:-2], size, size)

    def _rows(self, ids: NDArray[np.int64]) -> Tensor:
        index = torch.from_numpy(ids)
        if self.here:
            return self.pixels[index.to(self.device)]
        return self.pixels[index].to(self.device, non_blocking=True)

    def _batch(
        self,
        images: Tensor,
        ids: NDArray[np.int64],
        views: Tensor | None,
        step: int,
        first: int,
        noise: Noise | None,
    ) -> Batch:
        labels, more = self.pictures.labels, self.pictures.extra
        return Batch(
            images,
            ids,
            None if labels is None else torch.from_numpy(labels[ids]).to(self.device),
            views,
            {name: self._maps(values[ids], noise) for name, values in more.items()},
            self.config.seed,
            step,
            first,
        )


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order of one epoch."""
    key = [seed, (epoch << 8) | 1]
    return np.random.Generator(np.random.Philox(key=key)).permutation(n).astype(np.int64)
