"""The view of weights: pictures against the bits, curves against hiding by hand, what is saved."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import scramble
from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.models import load_network, network_of, save_network
from workbench.scenes.weights import (
    answering,
    hide,
    layers,
    line,
    points,
    pooled,
    said,
    save,
    subject_of,
    values,
)
from workbench.scenes.weights_spec import WeightsSpec
from workbench.sparsity import SPARSIFIERS

DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def network():
    made = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=10)
    return network_of(scramble(made), "mine")


@pytest.fixture(scope="module")
def subject(network):
    return subject_of(network, "mine", 60, 0, "digits()")


def test_pictures_are_means_of_blocks_and_small_layers_are_shown_as_they_are(subject) -> None:
    bits = np.random.default_rng(0).random((128, 64)) < 0.3
    blocks = bits.reshape(32, 4, 32, 2).mean((1, 3))
    assert np.allclose(pooled(bits, 32), blocks) and pooled(bits, 200).shape == bits.shape
    masks = SPARSIFIERS.parse("magnitude(ratio=0.25)").choose(subject.model)
    found = layers(masks, 1000)
    assert [each.name for each in found][:2] == ["blocks.0.attn.qkv", "blocks.0.attn.proj"]
    for layer, bits in zip(found, masks.hidden.values(), strict=True):
        assert np.array_equal(layer.kept == 0, bits.numpy())
        assert layer.ratio == pytest.approx(0.25, abs=1e-3)


def test_worth_is_that_of_the_network_with_the_weights_set_to_zero_by_hand(subject) -> None:
    spec = WeightsSpec(hide="magnitude(ratio=0.6)", ways=("magnitude", "n_m"), count=60)
    *_, last = hide(spec, subject)
    before = {key: value.clone() for key, value in subject.network.module.state_dict().items()}
    state = dict(before)
    for name, bits in last.masks.hidden.items():
        inner = name.removeprefix("module.")
        state[inner] = torch.where(bits, 0, state[inner])
    subject.network.module.load_state_dict(state)
    by_hand = (said(subject.model, subject.images) == subject.labels).mean()
    subject.network.module.load_state_dict(before)
    assert subject.known and last.after.accuracy == pytest.approx(by_hand)
    found = [each for each in values(spec, subject) if each is not None]
    assert len(found) == points(spec.ways) == 9 + 4
    assert {each.kept for each in found if each.way == "n_m"} == {1.0, 0.75, 0.5, 0.25}
    whole = [each.share for each in found if each.kept == 1]
    assert whole == [last.before.accuracy] * 2
    after = subject.network.module.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_pictures_to_learn_from_are_not_those_that_are_measured_on(subject, network) -> None:
    seen = {each.tobytes() for each in subject.images}
    assert len(subject.learn) > 100 and not seen & {each.tobytes() for each in subject.learn}
    steps = [each for each in hide(WeightsSpec(hide="gradient(batches=3)"), subject)]
    assert [each.done for each in steps] == [1, 2, 3, 4] and steps[0].loss is not None
    other = subject_of(network, "mine", 50, 0, "photos(crops=600)")
    assert not other.known and other.score().accuracy == 1


def test_ways_that_do_not_go_with_a_network_say_so_and_stop_nothing() -> None:
    made = network_of(timm.create_model("test_resnet", num_classes=10).eval(), "mine")
    of = subject_of(made, "mine", 50, 0, "digits()")
    spec = WeightsSpec(ways=("vib_gates(steps=1)", "n_m(keep=1, group=2)"))
    found = [each for each in values(spec, of) if each is not None]
    assert "linear layers" in found[0].note and len(found) == 3 and not found[1].note
    assert line(SPARSIFIERS.parse("mask_llm")) == [SPARSIFIERS.parse("mask_llm")]
    with pytest.raises(BadInput, match="no head"):
        answering(network_of(timm.create_model("test_resnet", num_classes=0), "mine"))


def test_what_is_saved_answers_as_the_masked_network(
    network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    arguments = {"depth": 2}
    folder = tmp_path / "models" / "mine"
    save_network(network, folder, "vit_tiny_patch16_224", DIGITS, arguments)
    spec = WeightsSpec(network="mine", hide="random(ratio=0.5)", count=60)
    found = load_network("mine")
    masks = SPARSIFIERS.parse(spec.hide).choose(answering(found))
    place = save(spec, masks, "sparse")
    again = load_network("sparse")
    zeros = sum(int((value == 0).sum()) for value in again.module.state_dict().values())
    assert place.name == "sparse" and zeros >= masks.count and again.labels == DIGITS
    images = DATASETS.parse("digits()").load(32, train=False).images[:8]
    ready = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    with torch.no_grad():
        for name, value in found.module.named_parameters():
            if f"module.{name}" in masks.hidden:
                value[masks.hidden[f"module.{name}"]] = 0
        assert torch.allclose(found.logits(ready), again.logits(ready), atol=1e-5)
    for name in ("sparse", "../up", ""):
        with pytest.raises(BadInput):
            save(spec, masks, name)


def test_links_keep_what_differs_and_refuse_what_is_not_there() -> None:
    spec = WeightsSpec(network="timm:resnet50", hide="rows(ratio=0.5)", ways=("random", "rows"))
    assert WeightsSpec.from_query(spec.to_query()) == spec
    for query in ({"network": "/etc"}, {"hide": "no"}, {"count": "1"}, {"ways": ";"}):
        with pytest.raises(BadInput):
            WeightsSpec.from_query({"network": "timm:resnet18", **query})
