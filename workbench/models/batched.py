"""One picture under many masks: what does not depend on the mask is done once."""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.masks import Grid, Mask
from workbench.models.precision import SMALL_WORK, threads_for
from workbench.models.reconstruction import Reconstructor

Bools = NDArray[np.bool_]
# Multiply-adds of a call after which a larger batch gains nothing on a CPU: 24 pictures of the
# bundled model. They take 50 ms on two cores in bf16, so that others wait no longer than that.
CALL_WORK = 2.2e10
MOST, LEAST = 64, 4
# A call should not last longer, so that others get their turn on a busy machine too.
CALL_SECONDS = 0.1


def batch_size(model: Reconstructor, patches: int) -> int:
    """How many pictures of so many patches a call should hold; 24 for the bundled model."""
    if model.device.type != "cpu":
        return MOST
    return int(min(max(CALL_WORK // (model.weights * patches), 1), MOST))


@functools.cache
def _lanes() -> tuple[int, ThreadPoolExecutor]:
    """As many threads as there are cores, each of which calls the model on one core.

    Two halves of a batch side by side are as fast as the whole batch on two threads where the
    machine is quiet (600 masks a second), and 3 to 9 times as fast where it is not, because
    nothing waits for the slower thread after every operation.
    """
    count = torch.get_num_threads()
    return count, ThreadPoolExecutor(
        count, "lane", initializer=torch.set_num_threads, initargs=(1,)
    )


class PictureUnderMasks:
    """A model asked about one picture again and again.

    `batch` is how many masks the next call should hold: as many as answer in a tenth of a second
    by the last call, `batch_size` at most.

    Args:
        model: whom to ask.
        picture: uint8 [h, w, 3] of the size of `grid`.
        grid: an image grid with the model's patch.
    """

    def __init__(self, model: Reconstructor, picture: NDArray[np.uint8], grid: Grid) -> None:
        self.model, self.grid = model, grid
        self.most = self.batch = batch_size(model, grid.size)
        rows, cols, p = grid.rows, grid.cols, grid.patch
        cut = picture.reshape(rows, p, cols, p, 3).swapaxes(1, 2).reshape(1, grid.size, -1)
        self._bytes = cut
        self._patches = torch.from_numpy(cut.copy()).to(model.device).float().div_(255)

    def errors(self, hidden: Bools) -> NDArray[np.float32]:
        """Mean squared error of every hidden patch in [0, 1] RGB, 0 where visible.

        A row gives the same to the bit in a batch of any size.

        Args:
            hidden: bool [b, n]; every row hides equally many patches, from 1 to n - 1.

        Returns:
            float32 [b, n].
        """
        return self._timed(self._errors, hidden)

    def composites(self, hidden: Bools) -> NDArray[np.uint8]:
        """The picture with its hidden patches predicted, uint8 [b, h, w, 3]; see `errors`."""
        return self._timed(self._composites, hidden)

    def _timed(self, answer: Callable[[Bools], NDArray[Any]], hidden: Bools) -> NDArray[Any]:
        began = time.perf_counter()
        found = self._in_lanes(answer, hidden)
        fitting = int(CALL_SECONDS * len(hidden) / (time.perf_counter() - began))
        # It falls at once and rises step by step: one quick call says little.
        self.batch = max(min(fitting, self.batch + LEAST, self.most), min(LEAST, self.most))
        return found

    def _in_lanes(self, answer: Callable[[Bools], NDArray[Any]], hidden: Bools) -> NDArray[Any]:
        """Answer parts of the batch on a core each, where that pays.

        Whatever is done to the answers is done there too: the smallest operation on two threads
        waits for both.
        """
        work = float(self.model.weights * hidden.size)
        if self.model.device.type != "cpu" or self.model.norm_pix or work <= SMALL_WORK:
            with threads_for(0):
                return answer(hidden)
        lanes, pool = _lanes()
        if len(hidden) < lanes or lanes == 1:
            with threads_for(work):
                return answer(hidden)
        asked = [pool.submit(answer, part) for part in np.array_split(hidden, lanes)]
        return np.concatenate([each.result() for each in asked])

    def _errors(self, hidden: Bools) -> NDArray[np.float32]:
        found = np.zeros(hidden.shape, np.float32)
        with torch.inference_mode():
            said = self._said(hidden)
            at = torch.from_numpy(np.nonzero(hidden)[1]).to(said.device)
            error = (said.flatten(0, 1) - self._patches[0][at]).square_().mean(-1)
            found[hidden] = error.cpu().numpy()
        return found

    def _composites(self, hidden: Bools) -> NDArray[np.uint8]:
        with torch.inference_mode():
            colours = (self._said(hidden) * 255).round_().to(torch.uint8).cpu().numpy()
        b, rows, cols, p = len(hidden), self.grid.rows, self.grid.cols, self.grid.patch
        patches = np.repeat(self._bytes, b, axis=0)
        patches[hidden] = colours.reshape(-1, colours.shape[-1])
        cut = patches.reshape(b, rows, cols, p, p, 3).swapaxes(2, 3)
        return cut.reshape(b, rows * p, cols * p, 3)

    def _said(self, hidden: Bools) -> Tensor:
        """Hidden patches [b, k, p] in [0, 1]."""
        if self.model.norm_pix:
            return self._said_with_statistics(hidden)
        return self.model.hidden_patches(self._patches, hidden, self.grid)

    def _said_with_statistics(self, hidden: Bools) -> Tensor:
        """The same, where brightness and contrast come from the visible patches mask by mask."""
        rows, cols, p = self.grid.rows, self.grid.cols, self.grid.patch
        cut = self._patches.view(rows, cols, p, p, 3).permute(4, 0, 2, 1, 3)
        image = cut.reshape(1, 3, *self.grid.pixels).cpu()
        mask = Mask(hidden.reshape(-1, *self.grid.shape), self.grid)
        full = self.model(image.expand(len(hidden), -1, -1, -1).contiguous(), mask).pixels
        parts = full.view(len(hidden), 3, rows, p, cols, p).permute(0, 2, 4, 3, 5, 1)
        patches = parts.reshape(*hidden.shape, -1)[torch.from_numpy(hidden.copy())]
        return patches.view(len(hidden), -1, p * p * 3).to(self.model.device)
