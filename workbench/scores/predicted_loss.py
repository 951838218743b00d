"""How badly a model would fill in each patch, foretold from its tokens alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from workbench.masks import Grid
from workbench.params import Knob
from workbench.scores.context import Context
from workbench.scores.looking import hidden_errors, onto, raw_tokens, reconstructor_of
from workbench.scores.score import Images, Score

if TYPE_CHECKING:
    from workbench.models.reconstruction import Reconstructor

RATIO, ROUNDS, FLOOR = 0.75, 2, 1e-4


@dataclass(frozen=True, kw_only=True)
class PredictedLoss(Score):
    """Squared error a patch in [0, 1] RGB, foretold by ridge regression on the encoder's tokens.

    HPM trains a second decoder to foretell its loss. No checkpoint here has one, so this is a stand
    in: the logarithm of `reconstruction_loss`, regressed on the tokens of whole pictures over the
    bundled photographs, fitted on first use (seconds) and kept while the model lives. A bundled
    photo was itself among them.
    """

    paper: ClassVar[str] = "arXiv:2304.05919"
    wants: ClassVar[tuple[str, ...]] = ("model",)

    ridge: Annotated[float, Knob("weight of the penalty", 1e-6, 1e9, 100, None, 10_000)] = 1000.0

    def maps(self, images: Images, grid: Grid, context: Context) -> NDArray[np.floating[Any]]:
        """Encode whole pictures, apply the regression."""
        model = reconstructor_of(context, self.name)
        tokens, own = raw_tokens(images, Context(model=model))
        said = np.exp(fitted(model).said(tokens, self.ridge)) - FLOOR
        return onto(np.maximum(said, 0).reshape(-1, own.rows, own.cols), grid)


@dataclass(frozen=True)
class Regression:
    """Tokens [m, dim] with the logarithm of their loss [m], and which photo each is of."""

    tokens: NDArray[np.float64]
    losses: NDArray[np.float64]
    photo: NDArray[np.int64]

    def said(
        self, tokens: NDArray[np.float64], ridge: float, without: int | None = None
    ) -> NDArray[np.float64]:
        """Foretell log losses of tokens [..., dim], if wanted from all photos but one."""
        kept = self.photo != (-1 if without is None else without)
        x, y = self.tokens[kept], self.losses[kept]
        mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
        x = (x - mean) / spread
        gram = x.T @ x + ridge * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x.T @ (y - y.mean()))
        return (tokens - mean) / spread @ weights + y.mean()


_kept: WeakKeyDictionary["Reconstructor", Regression] = WeakKeyDictionary()


def fitted(model: "Reconstructor") -> Regression:
    """The regression of a model, measured once while it lives."""
    if model not in _kept:
        _kept[model] = _measured(model)
    return _kept[model]


def _measured(model: "Reconstructor") -> Regression:
    """Tokens and losses of the bundled photographs."""
    from workbench.data import held_out, photo
    from workbench.data.images import fit

    tokens: list[NDArray[np.float64]] = []
    losses: list[NDArray[np.float64]] = []
    names = [info.name for info in held_out()]
    for name in names:
        cut = fit(photo(name), *model.size, "crop").transpose(2, 0, 1)
        image = np.ascontiguousarray(cut, np.float32) / np.float32(255)
        losses.append(np.log(hidden_errors(model, image, RATIO, ROUNDS, 0).ravel() + FLOOR))
        tokens.append(raw_tokens(image[None], Context(model=model))[0][0])
    photo_of = np.repeat(np.arange(len(names)), model.grid.size)
    return Regression(np.concatenate(tokens), np.concatenate(losses), photo_of)
