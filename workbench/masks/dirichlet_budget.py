"""Share a budget of visible patches between modalities at random (MultiMAE, BM-MAE)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.masks.lattice import Grid
from workbench.masks.ranking import hide_lowest
from workbench.masks.strategy import Drawn, Maps, Ratio, Strategy
from workbench.params import Knob
from workbench.seeds import Noise, hashed

SHARE_STREAM, SUBSET_STREAM, REST_STREAM = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class DirichletBudget(Strategy):
    """Hide exactly floor(ratio * n + 0.5) of all n patches; a Dirichlet law shares out the rest.

    A frame of the grid is a modality. Modality m shows round(share_m * visible) of its patches,
    chosen at random, with shares ~ Dirichlet(alpha, ..., alpha): alpha 1 makes all shares equally
    likely, a large one makes them equal, a small one shows nearly one modality alone. What rounding
    leaves over or misses is hidden or shown at random, so that the total is always exact. With
    `subset` a non-empty set of modalities is drawn first, and patches of the others are shown only
    where those of the set do not suffice.

    Bachmann et al., MultiMAE; official file `multimae/multimae.py` (98 of 3 x 196 visible; there
    what rounding misses goes by position, to the first modality, and what it leaves over is taken
    from the last). Used for the sequences of an MRI in BM-MAE (arXiv:2505.00568).
    """

    paper: ClassVar[str] = "arXiv:2204.01678"
    frames: ClassVar[str] = "modality"
    chunk_cells: ClassVar[int] = 1 << 18

    ratio: Ratio = 0.8333
    alpha: Annotated[float, Knob("evenness of the shares", 0.01, 1000, 0.1, soft_maximum=10)] = 1.0
    subset: Annotated[bool, Knob("draw a subset of the modalities first")] = False

    def draw(self, grid: Grid, noise: Noise, maps: Maps) -> Drawn:
        """Rank: within the modality's share, else of the subset, else the rest."""
        modalities, plane = grid.frames or 1, grid.rows * grid.cols
        visible = grid.size - grid.count(self.ratio)
        chosen = self._chosen(modalities, noise)
        tokens = np.rint(self._shares(chosen, noise) * visible)
        tokens = np.minimum(tokens, plane).astype(np.int64)
        bits = noise.bits(grid.size).reshape(-1, plane)
        wanted = hide_lowest(bits, tokens.ravel()).reshape(noise.count, modalities, plane)
        rank = np.where(chosen[:, :, None], np.uint64(1), np.uint64(2))
        rank = np.where(wanted, np.uint64(0), rank) << np.uint64(32)
        # noise of its own: the lowest left over would favour modalities that show few
        keys = rank.reshape(noise.count, -1) | noise.bits(grid.size, REST_STREAM)
        return ~hide_lowest(keys, visible).reshape(-1, *grid.shape)

    def _chosen(self, modalities: int, noise: Noise) -> NDArray[np.bool_]:
        """Return bool [images, modalities]: all, or one of the non-empty subsets."""
        chosen = np.ones((noise.count, modalities), bool)
        if self.subset:
            # a fair coin a modality, thrown again while none is chosen: every set equally likely
            poor, keys, attempt = np.arange(noise.count), noise.keys(SUBSET_STREAM), 0
            while len(poor):
                coins = hashed(keys[poor], modalities, attempt * modalities) >> np.uint32(31)
                chosen[poor] = coins.astype(bool)
                poor, attempt = poor[~chosen[poor].any(axis=1)], attempt + 1
        return chosen

    def _shares(self, chosen: NDArray[np.bool_], noise: Noise) -> NDArray[np.float64]:
        """Return shares that add up to 1, float64 [images, modalities], 0 where not chosen."""
        modalities = chosen.shape[1]
        first, second = (
            noise.uniform(2 * modalities, SHARE_STREAM).reshape(-1, 2, modalities).swapaxes(0, 1)
            + 2.0**-33
        )
        if self.alpha == 1:
            weight = np.log(-np.log(first))
        else:
            from scipy.special import gammaincinv

            # Gamma(alpha) as Gamma(alpha + 1) * U^(1 / alpha): small alphas stay within range
            weight = np.log(gammaincinv(self.alpha + 1, first)) + np.log(second) / self.alpha
        weight = np.where(chosen, weight, -np.inf)
        weight = np.exp(weight - weight.max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True)
