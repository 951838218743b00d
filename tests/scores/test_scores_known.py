"""Each score against what is known of it: a formula, a made-up picture, the model's own numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from scipy import ndimage
from scipy.stats import spearmanr
from skimage.data import coffee

from tests.scores.conftest import picture
from workbench.data import held_out
from workbench.data.scenes_drawn import scene
from workbench.errors import BadInput
from workbench.masks import Grid, Mask
from workbench.models import load_encoder
from workbench.models.patches import normalise, patchify
from workbench.models.reconstruction import Reconstructor
from workbench.models.taps import tap
from workbench.scores import Context, score_map
from workbench.scores.areas import commonest, patch_means
from workbench.scores.grouping import kmeans, normalised_cut
from workbench.scores.predicted_loss import fitted
from workbench.scores.rounds import covering

GRID = Grid(12, 12, patch=12)


def made(recipe: str, images: np.ndarray, grid: Grid = GRID, **what) -> np.ndarray:
    return score_map(recipe, images.astype(np.float32), grid, Context(**what))


def blocks(values: np.ndarray) -> np.ndarray:
    """[.., 144, 144] as [.., 12, 12, 144 pixels of a patch]."""
    cut = values.reshape(*values.shape[:-2], 12, 12, 12, 12).swapaxes(-3, -2)
    return cut.reshape(*values.shape[:-2], 12, 12, 144)


# --- from pixels --------------------------------------------------------------------------------


def test_edges_are_scipys_sobel(pictures: np.ndarray) -> None:
    grey = np.tensordot([0.299, 0.587, 0.114], pictures[0].astype(float), 1)
    length = np.hypot(*(ndimage.sobel(grey, axis, mode="nearest") / 8 for axis in (0, 1)))
    assert made("edges()", pictures[:1])[0] == pytest.approx(blocks(length).mean(-1), rel=1e-5)


def test_a_ramp_has_the_slope_that_it_has() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 144, dtype=np.float32), (1, 3, 144, 144))
    assert made("edges()", ramp)[0, :, 1:-1] == pytest.approx(1 / 143, rel=1e-4)


def test_variance_and_entropy_are_those_of_the_pixels(pictures: np.ndarray) -> None:
    wanted = blocks(pictures[0].astype(float)).var(-1).mean(0)
    assert made("variance()", pictures[:1])[0] == pytest.approx(wanted, rel=1e-4, abs=1e-9)
    halves = np.zeros((1, 3, 144, 144), np.float32)
    halves[..., ::2] = 0.99
    assert made("entropy(levels=8)", halves) == pytest.approx(1.0)
    assert made("entropy()", np.zeros((1, 3, 144, 144))) == pytest.approx(0)


def test_saliency_finds_the_odd_one_out() -> None:
    dots = np.zeros((1, 3, 144, 144), np.float32) + 0.2
    for y in range(12):
        for x in range(12):
            dots[0, :, 12 * y + 4 : 12 * y + 8, 12 * x + 4 : 12 * x + 8] = 0.8
    dots[0, :, 12 * 8 + 1 : 12 * 8 + 11, 12 * 3 + 1 : 12 * 3 + 3] = 1.0
    found = made("saliency()", dots)[0]
    y, x = np.unravel_index(found.argmax(), (12, 12))
    assert abs(y - 8) <= 1 and abs(x - 3) <= 1


def test_patches_of_any_size_share_the_pixels_by_area() -> None:
    values = np.random.default_rng(0).random((2, 10, 7))
    uneven = patch_means(values, Grid(4, 3, patch=1))
    fine = np.repeat(np.repeat(values, 4, 1), 3, 2).reshape(2, 4, 10, 3, 7).mean((2, 4))
    assert uneven == pytest.approx(fine)
    assert patch_means(values[:1, :2, :2], Grid(4, 4))[0, :2, :2] == pytest.approx(values[0, 0, 0])


def test_the_commonest_label_wins_and_the_lowest_of_equals() -> None:
    plane = np.array([[5, 5, 1, 1], [5, 3, 2, 2]])
    assert commonest(plane[None], Grid(1, 2))[0].tolist() == [[5, 1]]


# --- what is known of a scene -------------------------------------------------------------------


def test_depth_and_objects_are_those_of_the_drawn_scene() -> None:
    known = scene(4, 144)
    image = known.image.transpose(2, 0, 1)[None] / 255
    near = made("depth()", image, depth=known.depth[None])[0]
    assert near == pytest.approx(blocks(1 / known.depth.astype(float)).mean(-1), rel=1e-5)
    for cover in (0.25, 0.9):
        labels = made(f"objects(cover={cover})", image, labels=known.objects[None])[0]
        for cell, label in zip(
            blocks(known.objects).reshape(144, 144), labels.ravel(), strict=True
        ):
            counts = np.bincount(cell, minlength=2)[1:]
            assert label == (counts.argmax() + 1 if counts.sum() >= cover * 144 else 0)
        assert labels.max() > 0


def test_a_hole_in_a_depth_map_is_far_and_disparity_is_taken_as_it_is() -> None:
    depth = np.full((12, 12), 2.0)
    depth[0, 0] = 0
    image = np.zeros((1, 3, 144, 144))
    near = made('depth(map="d")', image, given={"d": depth})[0]
    assert near[0, 0] == 0 and (near.ravel()[1:] == 0.5).all()
    assert made('depth(map="d", inverse=True)', image, given={"d": depth})[0, 3, 3] == 2


def test_superpixels_follow_colours() -> None:
    image = np.zeros((1, 3, 144, 144))
    image[:, 0, :72], image[:, 2, :, 72:] = 1, 1
    labels = made("slic(segments=4)", image)[0]
    quarters = [labels[:6, :6], labels[:6, 6:], labels[6:, :6], labels[6:, 6:]]
    assert all(len(np.unique(part)) == 1 for part in quarters)
    assert len(np.unique(labels)) == 4


# --- through a model ----------------------------------------------------------------------------


def test_attention_is_the_models_own(pictures: np.ndarray, model: Reconstructor) -> None:
    encoder = tap(model).encoder
    maps: list[torch.Tensor] = []
    encoder(patchify(normalise(torch.from_numpy(pictures)), 12), None, maps)
    for recipe, block in (("attention()", -1), ("attention(block=3)", 3)):
        own = maps[block][:, :, 0, 1:].mean(1).reshape(-1, 12, 12).numpy()
        assert made(recipe, pictures, model=model) == pytest.approx(own, rel=2e-4, abs=1e-7)
    own = maps[-1][:, :, 1:, 1:].mean((1, 2)).reshape(-1, 12, 12).numpy()
    found = made('attention(asked_by="patches")', pictures, model=model)
    assert found == pytest.approx(own, rel=2e-4, abs=1e-7)


def test_attention_of_a_timm_encoder_is_timms(tmp_path: Path) -> None:
    torch.manual_seed(1)
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=64, depth=3, pretrained=False, num_classes=0
    ).eval()
    torch.save(vit.state_dict(), tmp_path / "vit.pth")
    images = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    attn = vit.blocks[-1].attn
    kept: list[torch.Tensor] = []
    attn.fused_attn = False
    attn.attn_drop.register_forward_hook(lambda _, inputs, out: kept.append(out))
    with torch.no_grad():
        vit.forward_features(normalise(torch.from_numpy(images)))
    wanted = kept[0][:, :, 0, 1:].mean(1).reshape(1, 4, 4).numpy()
    encoder = load_encoder(tmp_path / "vit.pth")
    found = made("attention()", images, Grid(4, 4), model=encoder)
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_masks_of_a_round_cover_every_patch_both_ways() -> None:
    for n, ratio in ((144, 0.75), (144, 0.9), (10, 0.3), (7, 0.5), (2, 0.01), (9, 0.99)):
        masks = covering(n, ratio, 2, seed=3)
        assert masks.any(0).all() and (~masks).any(0).all()
        assert set(masks.sum(1)) == {min(max(int(ratio * n + 0.5), 1), n - 1)}
    quarter = covering(144, 0.75, 5, seed=0)
    assert len(quarter) == 20 and ((~quarter).sum(0) == 5).all()


def test_the_reconstruction_loss_is_the_models_error(
    pictures: np.ndarray, model: Reconstructor
) -> None:
    hidden = covering(144, 0.75, 1, seed=0)
    total = np.zeros(144)
    for row in hidden:
        error = model(pictures[:1], Mask(row.reshape(1, 12, 12), GRID)).error.numpy().ravel()
        total += error * row
    found = made("reconstruction_loss(rounds=1)", pictures[:1], model=model)[0].ravel()
    assert found == pytest.approx(total / hidden.sum(0), rel=1e-3)


def test_the_input_gradient_is_what_a_small_change_does(
    pictures: np.ndarray, model: Reconstructor
) -> None:
    """Central differences of the loss of every mask, along the sign of the gradient."""
    look = tap(model)
    hidden = covering(144, 0.75, 1, seed=0)
    order = torch.from_numpy(np.argsort(hidden, axis=1, kind="stable"))
    patches = look.patches(pictures[:1]).repeat(4, 1, 1)
    found = made("gradient(rounds=1)", pictures[:1], model=model)[0].ravel()
    visible, rest = order[:, :36], order[:, 36:]
    for cell in (5, 70, 130):
        row = int(np.flatnonzero(~hidden[:, cell])[0])
        x = patches[row : row + 1].clone().requires_grad_()
        loss, _ = look.loss(x, visible[row : row + 1], rest[row : row + 1])
        way = torch.autograd.grad(loss.sum(), x)[0][0, cell].sign()
        step = 1e-2
        values = []
        for sign in (1, -1):
            moved = patches[row : row + 1].clone()
            moved[0, cell] += sign * step * way
            with torch.no_grad():
                loss, _ = look.loss(moved, visible[row : row + 1], rest[row : row + 1])
            values.append(float(loss))
        slope = (values[0] - values[1]) / (2 * step * way.numel())
        assert found[cell] == pytest.approx(slope, rel=0.05, abs=2e-6)


def test_hiding_what_gradient_attention_values_costs_more(model: Reconstructor) -> None:
    """GA-DMS's check, with success at filling in as the similarity."""
    dearer = []
    for name in ("astronaut", "coffee", "rocket", "china", "flower"):
        image = picture(name)[None]
        score = made("gradient_attention()", image, model=model)[0].ravel()
        bases = covering(144, 0.5, 1, seed=9)
        more = np.repeat(bases, 2, axis=0)
        for row, base in enumerate(bases):
            shown = np.flatnonzero(~base)
            ranked = shown[np.argsort(score[shown])]
            more[2 * row, ranked[:18]] = more[2 * row + 1, ranked[-18:]] = True
        masks = Mask(more.reshape(-1, 12, 12), GRID)
        error = model(np.repeat(image, len(more), 0), masks).error.numpy().reshape(-1, 2, 144)
        dearer += [each[1, base].mean() / each[0, base].mean() for each, base in
                   zip(error, bases, strict=True)]  # fmt: skip
    assert len(dearer) == 10 and np.mean(dearer) > 1.1 and np.mean(np.array(dearer) > 1) >= 0.8


def test_the_predicted_loss_ranks_patches_of_photos_it_never_saw(model: Reconstructor) -> None:
    data = fitted(model)
    found = []
    for at in range(len(held_out())):
        mine = data.photo == at
        said = data.said(data.tokens[mine], 1000.0, without=at)
        found.append(spearmanr(said, data.losses[mine]).statistic)
    assert np.mean(found) > 0.6 and min(found) > 0.1


def test_kmeans_finds_clusters_and_numbers_them_in_order() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [5, 0], [0, 5]])
    which = rng.integers(0, 3, 90)
    points = centres[which] + 0.1 * rng.normal(size=(90, 2))
    labels = kmeans(points, 3)
    assert labels[0] == 0 and len(set(zip(which.tolist(), labels.tolist(), strict=True))) == 3
    assert len(np.unique(kmeans(points[:2], 7))) == 2


def test_the_cut_parts_two_groups_of_patches() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], [40, 12])
    features = np.eye(8)[group * 4] + 0.05 * rng.normal(size=(52, 8))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    vector = normalised_cut(features, 0.2)
    assert len(np.unique(np.sign(vector - vector.mean()) * (2 * group - 1))) == 1


def test_parts_of_a_picture_in_two_halves() -> None:
    photo = coffee()[:144, :144].transpose(2, 0, 1)[None] / 255.0
    photo[..., :72, :] = np.random.default_rng(0).random((1, 3, 72, 144)) * 0.1
    labels = made("parts(k=2, place=0)", photo)[0]
    assert (labels[:5] == 0).mean() > 0.9 and (labels[7:] == 1).mean() > 0.9


# --- a CLIP of the user's own -------------------------------------------------------------------


def test_text_similarity_is_the_clips_own_cosine(clip_folder: Path) -> None:
    from transformers import CLIPModel, CLIPTokenizer

    images = np.random.default_rng(0).random((2, 3, 48, 48), dtype=np.float32)
    found = made('text_similarity(prompt="a red face")', images, Grid(4, 4), clip=clip_folder)
    network = CLIPModel.from_pretrained(clip_folder).eval()
    words = CLIPTokenizer.from_pretrained(clip_folder)
    assert words("a red face")["input_ids"][0] == 0 and len(words("ab")["input_ids"]) == 4
    with torch.no_grad():
        pixels = (torch.from_numpy(images) - 0.5) / 0.25
        vision = network.vision_model(pixel_values=pixels).last_hidden_state
        # the class token goes this way in `get_image_features`; patches go the same one
        whole = network.visual_projection(network.vision_model.post_layernorm(vision))
        pooled = network.get_image_features(pixel_values=pixels)
        text = network.get_text_features(**words("a red face", return_tensors="pt"))
    pooled, text = (getattr(each, "pooler_output", each) for each in (pooled, text))
    assert torch.allclose(whole[:, 0], pooled, atol=1e-5)
    cosines = torch.nn.functional.cosine_similarity(whole[:, 1:], text[:, None], dim=-1)
    assert found.reshape(2, 16) == pytest.approx(cosines.numpy(), abs=1e-5)


def test_an_empty_prompt_says_nothing() -> None:
    assert not made("text_similarity()", np.zeros((1, 3, 8, 8)), Grid(2, 2)).any()


def test_a_clip_is_found_by_its_name_and_others_are_told(
    workbench_home: Path, clip_folder: Path, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).random((1, 3, 48, 48), dtype=np.float32)
    (workbench_home / "clip").mkdir(parents=True)
    (workbench_home / "clip" / "mine").symlink_to(clip_folder)
    named = made('text_similarity(prompt="x", clip="mine")', images, Grid(4, 4))
    assert np.array_equal(named, made('text_similarity(prompt="x")', images, Grid(4, 4)))
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    with pytest.raises(BadInput, match=r"other' is a 'siglip', wanted a CLIPModel"):
        made('text_similarity(prompt="x")', images, Grid(4, 4), clip=other)
    (other / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(BadInput, match=r"cannot be read .*model.safetensors and its tokenizer"):
        made('text_similarity(prompt="x")', images, Grid(4, 4), clip=other)
