"""Features that collapsed are told from those that did not."""

import numpy as np
import pytest

from workbench.analysis.collapse import effective_rank, spread

RNG = np.random.default_rng(0)


def test_white_noise_has_all_ranks_and_the_full_spread() -> None:
    values = RNG.normal(size=(20_000, 32))
    assert effective_rank(values) == pytest.approx(32, rel=0.01)
    assert spread(values) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_features_of_a_rank_have_it(rank: int) -> None:
    frame = np.linalg.qr(RNG.normal(size=(32, rank)))[0]
    values = RNG.normal(size=(20_000, rank)) @ frame.T + 100
    assert effective_rank(values) == pytest.approx(rank, rel=0.02)


def test_one_answer_to_everything_is_a_collapse() -> None:
    values = np.tile(RNG.normal(size=32), (500, 1)).astype(np.float32)
    assert spread(values) == pytest.approx(0, abs=1e-6) and effective_rank(values) == 0
