"""What the lesson on reconstruction shows, against formulas and the model's own parts."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.data import photo
from workbench.data.images import fit
from workbench.errors import BadInput
from workbench.lessons.models import (
    normalised,
    patches_of,
    picture_of,
    show_average,
    show_contrast,
    show_curve,
    show_model,
    show_normalised,
    show_perfect_norm_pix,
    show_spread,
)
from workbench.models import list_models, load_reconstructor
from workbench.models.targets import patch_targets
from workbench.scenes import SceneSpec, compose


def opened(shown) -> Image.Image:
    picture = Image.open(io.BytesIO(shown._repr_png_()))
    picture.load()
    return picture


def test_the_model_page_counts_what_the_model_has():
    text = repr(show_model("default"))
    card = json.loads(list_models()[0].path.with_suffix(".json").read_text())
    assert "12 x 12 x 3 = 432 numbers" in text and "12 x 12 = 144" in text
    assert f"{card['shape']['depth']} blocks of width {card['shape']['dim']}" in text
    from workbench.models.formats import _read

    model = _read(list_models()[0].path, None, None, None).model
    count = sum(p.numel() for p in model.state_dict().values())
    encoder = sum(p.numel() for p in model.encoder.state_dict().values())
    assert f"{encoder:,} weights: visible" in text and f"{count - encoder:,} weights: all" in text
    with pytest.raises(BadInput, match="nowhere has no card"):
        show_model("nowhere")


def test_patches_go_there_and_back_and_normalise_as_the_loss_does():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)
    patches = patches_of(pixels, (2, 3))
    assert patches.shape == (2, 3, 144, 3)
    np.testing.assert_array_equal(patches[1, 2].reshape(12, 12, 3), pixels[12:, 24:] / 255)
    np.testing.assert_array_equal(picture_of(patches, (24, 36)), pixels)
    parts, mean, scale = normalised(patches)
    flat = torch.from_numpy(patches.reshape(1, 6, -1))
    wanted = patch_targets(flat, norm_pix=True).numpy().reshape(parts.shape)
    np.testing.assert_allclose(parts, wanted, atol=1e-9)
    np.testing.assert_allclose(parts * scale + mean, patches, atol=1e-12)


def test_what_is_behind_the_claims_of_the_lesson():
    """The prediction ignores hidden pixels; texture falls with the ratio; leaks have no error."""
    scene = compose(SceneSpec(photo="chelsea"))
    images = scene.photo.transpose(2, 0, 1)[None].astype("float32") / 255
    negative = np.where(scene.mask.to_pixels()[:, None], 1 - images, images)
    model = load_reconstructor("default", device="cpu", precision="fp32")
    first, second = model(images, scene.mask), model(negative, scene.mask)
    assert torch.equal(first.pixels, second.pixels)
    assert {k: tuple(v.shape) for k, v in first.activations.items()} == {
        "latent": (1, 37, 192), "prediction": (1, 144, 432),
    }  # fmt: skip
    kept = [float(row[3][:-1]) for row in show_contrast("chelsea", (0.1, 0.5, 0.9), 2).rows]
    assert kept[0] > kept[1] > kept[2]
    shown = repr(show_perfect_norm_pix(SceneSpec(photo="chelsea")))
    assert f"ours {scene.metrics.mse:.4f}" in shown and "leaked ones 0.0000" in shown
    estimated = float(shown.split("spread ")[1][:6])
    assert 0.003 < estimated < scene.metrics.mse


def test_error_rises_with_the_ratio_and_blocks_are_harder():
    chart = show_curve(SceneSpec(photo="astronaut"), ["random", "block"], (0.25, 0.75, 0.95), 4)
    (_, random), (_, block) = chart.lines["random"], chart.lines["block"]
    assert random[0] < random[1] < random[2]
    assert all(below < above for below, above in zip(random, block, strict=True))
    assert chart.marks == {"trained most with 0.75": 0.75}
    opened(chart)


def test_pictures_of_the_lesson():
    average = show_average(48)
    assert "mean of 11" in repr(average)
    cut = [fit(photo(name), 48, 48, "crop") for name in ("astronaut", "chelsea", "coffee")]
    np.testing.assert_array_equal(average.rows[0].tiles[0][1], cut[0])
    mean = average.rows[0].tiles[-1][1]
    assert mean.std() < min(each.std() for each in cut)
    spread = show_spread(SceneSpec(photo="coffee"), 3)
    assert "mean of 3 seeds" in repr(spread) and "by seed" in repr(spread)
    for shown in (average, spread, show_normalised("coffee")):
        assert 300 < opened(shown).width <= 900
