"""Every score, because it exists, keeps these promises."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.scenes_drawn import scene
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.models.reconstruction import Reconstructor
from workbench.models.taps import tap
from workbench.params import knobs
from workbench.scores import SCORES, Context, Score, maps_for, score_map

GRIDS = {"own": Grid(12, 12, patch=12), "wide": Grid(5, 9, patch=16), "one": Grid(1, 1, patch=144)}


def settings() -> list[Score]:
    """Each score's default, and every choice and switch; what has to be said is said."""
    said: dict[str, dict[str, Any]] = {
        "text_similarity": {"prompt": "a face"}, "drawn": {"map": "mine"},
    }  # fmt: skip
    found: list[Score] = []
    for name in SCORES.names():
        first = SCORES.get(name)(**said.get(name, {}))
        found.append(first)
        for knob in knobs(type(first)):
            values = (True, False) if knob.kind == "bool" else knob.choices or ()
            found += [dataclasses.replace(first, **{knob.name: value}) for value in values]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def around(model: Reconstructor, clip_folder: Path) -> Context:
    """Everything that a score may want, for three pictures of 144 pixels."""
    truth = [scene(seed, 144) for seed in (1, 2, 3)]
    return Context(
        model=model,
        labels=np.stack([each.objects for each in truth]),
        depth=np.stack([each.depth for each in truth]),
        given={"mine": np.random.default_rng(0).random((3, 20, 30))},
        clip=clip_folder,
    )


@pytest.mark.parametrize("score", settings(), ids=str)
def test_a_map_has_one_finite_value_a_patch_and_is_the_same_alone(
    score: Score, pictures: np.ndarray, around: Context
) -> None:
    for grid in GRIDS.values():
        maps = score_map(str(score), pictures, grid, around)
        assert maps.shape == (3, *grid.shape) and maps.dtype == np.float32
        assert np.isfinite(maps).all()
        if score.kind == "labels":
            assert (maps == np.round(maps)).all() and maps.min() >= 0
        alone = score_map(str(score), pictures[1:2], grid, around.only(1, 3))
        assert np.array_equal(alone[0], maps[1])
        if grid.size > 1:
            assert len({each.tobytes() for each in maps}) == 3, "a map that ignores the picture"
    assert SCORES.parse(str(score)) == score


@pytest.mark.parametrize("name", SCORES.names())
def test_a_score_leaves_the_model_as_it_was(
    name: str, pictures: np.ndarray, around: Context, model: Reconstructor
) -> None:
    before = [each.clone() for each in tap(model).encoder.parameters()]
    first = score_map(_asked(name), pictures[:1], GRIDS["own"], around.only(0, 3))
    after = list(tap(model).encoder.parameters())
    assert all(each.grad is None and not each.requires_grad for each in after)
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    assert np.array_equal(
        first, score_map(_asked(name), pictures[:1], GRIDS["own"], around.only(0, 3))
    )


def _asked(name: str) -> str:
    said = {"text_similarity": 'text_similarity(prompt="sky")', "drawn": 'drawn(map="mine")'}
    return said.get(name, f"{name}()")


@pytest.mark.parametrize("name", SCORES.names())
def test_a_score_is_described(name: str) -> None:
    row = next(row for row in SCORES.describe() if row["name"] == name)
    assert row["summary"].endswith(".") and row["kind"] in ("values", "labels")
    assert set(row["wants"]) <= {"model", "truth", "clip", "map"}


def test_a_clip_of_frames_gets_a_map_a_frame(pictures: np.ndarray) -> None:
    clip = Grid(12, 12, patch=12, frames=3)
    strategy = MASKS.parse("guided()")
    moving = maps_for(strategy, pictures[None], clip)["edges()"]
    each = maps_for(strategy, pictures, GRIDS["own"])["edges()"]
    assert np.array_equal(moving[0], each)
    still = maps_for(strategy, pictures, clip)["edges()"]
    assert still.shape == (3, 3, 12, 12) and (still == each[:, None]).all()
    with pytest.raises(BadInput, match="the clip has 3 frames, but the grid has 2"):
        maps_for(strategy, pictures[None], Grid(12, 12, frames=2))


def test_strategies_that_look_at_nothing_get_nothing_at_once() -> None:
    assert maps_for(MASKS.parse("random"), np.zeros(0), Grid(3, 3)) == {}


def test_hand_painted_patches_stay_over_a_guided_strategy(pictures: np.ndarray) -> None:
    strategy = MASKS.parse('painted(hide="0-3", over=guided(ratio=0.5, scores="variance()"))')
    maps = maps_for(strategy, pictures, GRIDS["own"])
    assert list(maps) == ["variance()"]
    mask = strategy.sample(GRIDS["own"], 3, maps=maps)
    assert mask.hidden[:, 0, :4].all() and set(mask.counts.tolist()) <= set(range(72, 77))


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("nothing()", "'nothing' is no known score; choose one of: attention"),
        ("edges(x=1)", "'x' is no knob of it"),
        ('drawn(map="/etc/passwd")', "no map called '/etc/passwd' was given"),
        ('drawn(map="map-00112233445566778899aabbccddeeff")', "There is no map map-0011"),
        ('drawn(patches="200")', "names patch 200, but the grid has patches 0 to 143"),
        ('drawn(map="a", patches="1")', "a map is drawn in one way"),
        ("depth()", "nothing is known of the depth of this photo"),
        ('text_similarity(prompt="x")', "no CLIP is here; put the folder of a transformers"),
        ('text_similarity(prompt="x", clip="../evil")', "there is no CLIP called '../evil'"),
        ("attention(block=40)", "block is 40, but the model has 12 blocks"),
    ],
)
def test_what_is_missing_is_told_in_a_sentence(
    recipe: str, sentence: str, pictures: np.ndarray, workbench_home: Path
) -> None:
    with pytest.raises(BadInput, match=sentence):
        score_map(recipe, pictures[:1], GRIDS["own"], Context())


def test_pictures_must_be_pictures() -> None:
    for wrong in (np.zeros((3, 8, 8), np.float32), np.zeros((1, 3, 8, 8), np.uint8)):
        with pytest.raises(BadInput, match="wanted float32"):
            score_map("edges()", wrong, Grid(2, 2), Context())


def test_an_encoder_alone_attends_but_cannot_reconstruct(
    pictures: np.ndarray, model: Reconstructor
) -> None:
    encoder = tap(model).encoder
    whole = score_map("attention()", pictures[:1], GRIDS["own"], Context(model=model))
    alone = score_map("attention()", pictures[:1], GRIDS["own"], Context(model=encoder))
    assert np.array_equal(whole, alone)
    for recipe in ("reconstruction_loss()", "predicted_loss()", "gradient()"):
        with pytest.raises(BadInput, match=r"decoder"):
            score_map(recipe, pictures[:1], GRIDS["own"], Context(model=encoder))


@pytest.mark.parametrize("recipe", ["guided(ratio=0.5)", 'guided(scores="attention()")', "parts()"])
def test_a_guided_recipe_trains(
    recipe: str, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step on a batch: the masks of the loss are those that the recipe draws on the crops."""
    import torch

    from workbench.data.crops import PhotoPool
    from workbench.models.mae import DecoderShape, MaskedAutoencoder
    from workbench.models.transformer import ViTShape
    from workbench.objectives.mae import mae_loss
    from workbench.runs import pretrain
    from workbench.runs.presets import Preset

    pool = PhotoPool([(each.transpose(1, 2, 0) * 255).astype(np.uint8) for each in pictures], [])
    preset = Preset(
        size=48, patch=12, dim=32, depth=1, heads=2, decoder_dim=16, decoder_depth=1,
        decoder_heads=2, masks=(recipe,), batch=3, steps=10,
    )  # fmt: skip
    shape = ViTShape(rows=4, cols=4, patch=12, dim=32, depth=1, heads=2, hidden=64)
    learner = MaskedAutoencoder(shape, DecoderShape(dim=16, depth=1, heads=2, hidden=32))
    learner.initialise(0)
    seen: list[torch.Tensor] = []

    def watched(*given: Any) -> torch.Tensor:
        seen.append(given[2])
        return mae_loss(*given)

    monkeypatch.setattr(pretrain, "mae_loss", watched)
    loss = pretrain.batch_loss(learner, pool, preset, 7, torch.device("cpu"))
    loss.backward()
    assert torch.isfinite(loss.detach()) and learner.mask_token.grad is not None
    crops = pool.crops(3, 48, preset.seed, 7, smallest=preset.smallest_crop)
    images = crops.transpose(0, 3, 1, 2).astype(np.float32) / 255
    strategy, grid = MASKS.parse(recipe), Grid(4, 4, patch=12)
    mask = strategy.sample(grid, 3, step=7, maps=maps_for(strategy, images, grid))
    assert np.array_equal(seen[0].numpy(), mask.visible_indices())
