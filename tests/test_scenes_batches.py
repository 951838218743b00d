"""Matrix, curve and spread: the numbers of single scenes, made in batches."""

from pathlib import Path

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.scenes import SceneSpec, compose
from workbench.scenes.batches import alike, errors, masks_of
from workbench.scenes.compose import to_float
from workbench.scenes.curve import curve, training
from workbench.scenes.matrix import RATIOS, STRATEGIES, Cell, matrix, with_ratio
from workbench.scenes.spread import spread

SPEC = SceneSpec(photo="coffee", seed=5)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return list(matrix(SPEC, ["random", "stripes", "multi_block", "units(unit=3)"], [0.4, 0.75]))


def test_every_cell_is_the_scene_that_its_recipe_makes(cells: list[Cell]) -> None:
    assert {(cell.row, cell.col) for cell in cells} == {(r, c) for r in range(4) for c in range(2)}
    assert (cells[0].row, cells[0].col) == (0, 0)
    for cell in cells:
        assert cell.spec is not None and cell.metrics is not None and cell.composite is not None
        scene = compose(cell.spec)
        assert cell.spec.seed == 5
        assert (cell.hidden == scene.hidden).all()
        assert cell.metrics.pixels == scene.metrics.pixels
        assert cell.metrics.mse == pytest.approx(scene.metrics.mse, abs=1e-5)
        assert cell.metrics.ssim == pytest.approx(scene.metrics.ssim, abs=1e-3)
        assert np.abs(cell.composite.astype(int) - scene.composite).max() <= 2


def test_a_ratio_is_the_strategy_s_own_or_a_lock(cells: list[Cell]) -> None:
    assert str(with_ratio("block(ratio=0.1, min_patches=4)", 0.5)) == (
        "block(ratio=0.5, min_patches=4)"
    )
    assert str(with_ratio('painted(hide="3")', 0.5)) == 'painted(hide="3", lock=0.5)'
    locked = [cell for cell in cells if cell.row == 2]
    assert [int(cell.hidden.sum()) for cell in locked if cell.hidden is not None] == [58, 108]


def test_a_cell_that_cannot_be_says_why() -> None:
    made = list(matrix(SPEC, ["random", "stripes"], [0.0, 0.5, 1.0]))
    empty = [cell for cell in made if cell.composite is None]
    assert {(cell.row, cell.col) for cell in empty} == {(0, 0), (1, 0), (0, 2), (1, 2)}
    assert all("nothing is" in cell.note for cell in empty)
    wrong = [cell for cell in matrix(SPEC, ["nope"], [0.5])]
    assert "nope" in wrong[0].note
    with pytest.raises(BadInput, match="0 strategies"):
        next(matrix(SPEC, [], [0.5]))


def test_the_standard_matrix_is_eight_by_five() -> None:
    assert (len(STRATEGIES), len(RATIOS)) == (8, 5)
    for name in STRATEGIES:
        assert "ratio" in str(with_ratio(name, 0.5))


def test_errors_of_many_masks_equal_those_of_single_scenes() -> None:
    masks = masks_of(SPEC.replace(mask="block(ratio=0.6)"), 3)
    few = Mask(np.zeros((1, 12, 12), bool), Grid(12, 12, patch=12))
    found = errors(SPEC, Mask.stack([masks, few]))
    assert np.isnan(found[3])
    for at in range(3):
        scene = compose(SPEC.replace(mask="block(ratio=0.6)", seed=5 + at))
        assert found[at] == pytest.approx(scene.metrics.mse, abs=1e-5)
    with pytest.raises(BadInput, match="model's grid"):
        errors(SPEC, MASKS.parse("random").sample(Grid(6, 6, patch=12)))


def test_groups_hide_equally_many_and_hold_no_more_than_asked() -> None:
    counts = np.array([3, 5, 3, 0, 3, 9, 5])
    groups = [rows.tolist() for rows in alike(counts, lambda: 2, 9)]
    assert groups == [[0, 2], [4], [1, 6]]


def test_a_point_of_the_curve_is_the_mean_over_seeds() -> None:
    points = list(curve(SPEC, ["random", "stripes"], [0.0, 0.3, 0.8], draws=3))
    assert len(points) == 6
    assert [point.mse for point in points if point.ratio == 0.0] == [None, None]
    (point,) = [p for p in points if (p.row, p.ratio) == (1, 0.8)]
    single = [
        compose(SPEC.replace(mask="stripes(ratio=0.8)", seed=seed)).metrics.mse or 0
        for seed in (5, 6, 7)
    ]
    assert point.mse == pytest.approx(np.mean(single), abs=1e-5)
    assert (point.low, point.high) == pytest.approx((min(single), max(single)), abs=1e-5)
    assert point.realised == pytest.approx(120 / 144)


def test_training_ratios_come_from_the_card() -> None:
    """`assets/checkpoints/default.json` lists eight recipes; 0.75 and 0.6 stand there twice."""
    found = training(SceneSpec())
    assert sorted(found.ratios) == [0.5, 0.6, 0.6, 0.7, 0.75, 0.75, 0.85, 0.9]
    assert found.usual == 0.75


def test_training_ratio_of_a_folder_of_transformers(tmp_path: Path) -> None:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        image_size=16, patch_size=8, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=24, decoder_hidden_size=16, decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2, decoder_intermediate_size=16, mask_ratio=0.6,
    )  # fmt: skip
    ViTMAEForPreTraining(config).save_pretrained(tmp_path)
    assert training(SceneSpec(model=str(tmp_path))).ratios == (0.6,)


def test_the_spread_is_numpy_s_over_single_scenes() -> None:
    spec = SPEC.replace(mask="random_field(ratio=0.7)")
    *_, found = spread(spec, 6)
    scenes = [compose(spec.replace(seed=seed)) for seed in found.seeds]
    stack = np.stack([to_float(scene.composite) for scene in scenes]).astype(np.float64)
    assert found.seeds == (5, 6, 7, 8, 9, 10)
    assert (found.times == np.sum([scene.hidden for scene in scenes], axis=0)).all()
    np.testing.assert_allclose(found.mean, stack.mean(0).transpose(1, 2, 0), atol=1e-5)
    np.testing.assert_allclose(found.variance, stack.var(0).mean(0), atol=1e-5)
    single = [scene.metrics.mse or 0 for scene in scenes]
    np.testing.assert_allclose(found.mse, single, atol=1e-5)
    with pytest.raises(BadInput, match="under every seed"):
        next(spread(spec.replace(mask="random(ratio=0.0)")))
    with pytest.raises(BadInput, match="2 to 4096"):
        next(spread(spec, 1))
