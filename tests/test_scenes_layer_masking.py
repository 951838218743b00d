"""Ways of removing side by side: hand-made networks whose answers and maps are known."""

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import scramble
from workbench.errors import BadInput
from workbench.masks import Grid
from workbench.models import network_of
from workbench.scenes.layer_curves import curves, leaking, leaks, points, silhouettes
from workbench.scenes.layer_masking import answers, cells
from workbench.scenes.layer_masking_spec import LayerMaskingSpec

LEFT = 'painted(hide="0,4,8,12")'  # a column of 4 x 4 cells


@pytest.fixture(scope="module")
def convnet():
    """A timm convnet at 64 px, drawn from a seed, three classes."""
    torch.manual_seed(0)
    made = timm.create_model("resnet10t", num_classes=3).eval()
    made.pretrained_cfg = {**made.pretrained_cfg, "input_size": (3, 64, 64)}
    return network_of(made, "resnet10t")


def transformer(classes: int = 3):
    """A timm ViT at 64 px, 4 x 4 patches."""
    made = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=4, num_classes=classes)
    return network_of(scramble(made), "vit")


def photo(side: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)


def test_only_what_paints_depends_on_hidden_pixels_and_only_there_do_places_move(convnet) -> None:
    spec = LayerMaskingSpec(network="mine", mask='painted(hide="0-31")')  # the upper half
    assert cells(convnet) == Grid(8, 8, patch=8)
    first = photo()
    other = first.copy()
    other[:32] = photo(seed=1)[:32]
    one, two = (answers(spec, pixels, convnet) for pixels in (first, other))
    same = {
        a.way: np.allclose(a.probabilities, b.probabilities, atol=1e-5)
        for a, b in zip(one.each, two.each, strict=True)
    }
    assert not same["whole"] and same["grey"] and same["black"] and same["layer_mask"]
    by_way = {each.way: each for each in one.each}
    assert (by_way["black"].shown[:32] == 0).all()
    assert (by_way["black"].shown[32:] == first[32:]).all()
    layer = by_way["layer_mask"].layers[0].moved  # the stem: strides of 2, borders of 1 a kernel
    assert np.isnan(layer[:10]).all() and np.isfinite(layer[-10:]).all()
    assert layer[-8:].max() < 1e-5 and by_way["black"].layers[0].moved[:8].mean() > 0.01


def test_dropped_tokens_have_no_place_and_hidden_keys_answer_the_same() -> None:
    network = transformer()
    spec = LayerMaskingSpec(network="mine", mask=LEFT)
    found = {each.way: each for each in answers(spec, photo(), network).each}
    dropped, keys = found["drop_tokens"], found["hide_keys"]
    assert np.allclose(dropped.probabilities, keys.probabilities, atol=1e-5)
    for layer in dropped.layers:
        assert np.isnan(layer.moved[:, 0]).all() and np.isfinite(layer.moved[:, 1:]).all()
    for a, b in zip(dropped.layers, keys.layers, strict=True):
        assert np.allclose(a.moved[:, 1:], b.moved[:, 1:], atol=1e-4)
    p = dropped.probabilities.astype(float)
    assert dropped.entropy == pytest.approx(float(-(p * np.log2(p)).sum()), rel=1e-6)


def test_nothing_hidden_moves_nothing_and_everything_hidden_is_told(convnet) -> None:
    for mask, possible in (("random(ratio=0.0)", True), ("random(ratio=1.0)", False)):
        found = answers(LayerMaskingSpec(network="mine", mask=mask), photo(), convnet)
        inside = found.each[-1]
        assert inside.way == "layer_mask" and bool(inside.note) != possible
        for each in found.each[1:] if possible else ():
            assert np.allclose(each.probabilities, found.each[0].probabilities, atol=1e-6)
            assert all(np.allclose(layer.moved, 0, atol=1e-5) for layer in each.layers)


def test_curves_begin_at_the_whole_picture_and_the_leak_test_holds_area_still(convnet) -> None:
    spec = LayerMaskingSpec(network="mine", count=8)
    found = list(curves(spec, photo(), convnet))
    whole = answers(spec, photo(), convnet).each[0]
    assert len(found) == points(spec, "convnet") == 5 * 3 * 6
    for point in found:
        assert point.numbers["count"] == (8 if point.order == "random" else 1)
        if point.share == 0:
            assert point.numbers["kept"] == pytest.approx(whole.confidence, abs=1e-5)
            assert point.numbers["same"] == 1
    holes, labels = silhouettes(Grid(8, 8), 60)
    assert (holes.sum((1, 2)) == 19).all() and len(set(labels.tolist())) == 10  # 0.3 of 64 cells
    told = list(leaks(spec, convnet, count=40))
    assert [each.chance for each in told] == [0.1] * 5
    assert all(0 <= each.low <= each.share <= each.high <= 1 for each in told)
    assert "chance is 10%" in leaking(told)


def test_links_keep_what_differs_and_refuse_what_is_not_there() -> None:
    spec = LayerMaskingSpec(network="timm:resnet50", policy="all", filling="zero", count=64)
    assert LayerMaskingSpec.from_query(spec.to_query()) == spec
    for query in ({"network": "/etc/passwd"}, {"policy": "some"}, {"count": "1"}, {"mask": "no"}):
        with pytest.raises(BadInput):
            LayerMaskingSpec.from_query({"network": "timm:resnet18", **query})
    with pytest.raises(BadInput, match="no head"):
        bare = transformer(0)
        answers(LayerMaskingSpec(network="mine"), photo(), bare)
