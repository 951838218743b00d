"""Merging and feature gates in the view: against sums by hand, and on features that are known."""

import copy
import threading

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import scramble
from workbench.errors import BadInput
from workbench.models import network_of
from workbench.models.headed import HeadedEncoder
from workbench.models.initial import initialise
from workbench.models.transformer import ViTShape
from workbench.scenes.merging import MergeSpec, merge, plain, stepwise
from workbench.scenes.subspace import gated, main_axes, of_classes, of_photos, placed

A, B = "timm:resnet18", "timm:resnet50"  # names that a spec takes; the networks are given


def transformer():
    torch.manual_seed(0)
    made = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=10)
    return network_of(scramble(made), "net")


@pytest.fixture(scope="module")
def trio():
    a = transformer()
    made = []
    for scale in (0.02, 0.05):
        module = copy.deepcopy(a.module)
        with torch.no_grad():
            for each in module.parameters():
                each.add_(scale * torch.randn_like(each))
        made.append(network_of(module, "other"))
    return a, *made


def merged(trio, **knobs):
    spec = MergeSpec(a=A, b=B, count=50, **knobs)
    steps = list(merge(spec, trio, "digits()"))
    return steps[-1], steps


def test_a_sum_of_task_vectors_is_the_sum_by_hand_and_begins_at_its_base(trio) -> None:
    found, _ = merged(trio, scale_a=0.7, scale_b=-0.4)
    a, b, base = (each.module.state_dict() for each in trio)
    for name, value in found.state.items():
        if value.is_floating_point():
            by_hand = base[name] + 0.7 * (a[name] - base[name]) - 0.4 * (b[name] - base[name])
            assert torch.allclose(value, by_hand, atol=1e-5)
    none, _ = merged(trio, scale_a=0.0, scale_b=0.0)
    worth = {each.name: each for each in none.worths}
    assert worth["merged"].on_a == worth["base"].on_a and worth["a"].on_a == worth["a"].on_b


def test_fusing_a_network_with_itself_is_itself_and_learnt_scales_move(trio) -> None:
    same, _ = merged((trio[0], trio[0], trio[0]), how="fuse", scale_b=0.5)
    before = trio[0].module.state_dict()
    assert all(torch.allclose(value, before[name], atol=1e-4) for name, value in same.state.items())
    found, steps = merged(trio, how="scales", steps=2)
    assert [each.done for each in steps] == [1, 2, 3] and steps[0].loss is not None
    names = {f"{name}" for name, _, _ in found.scales}
    assert names == {n for n, v in before.items() if v.is_floating_point()}
    after = trio[0].module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_our_vit_becomes_one_of_timm_that_says_the_same_and_others_are_refused(trio) -> None:
    shape = ViTShape(rows=4, cols=4, patch=8, dim=24, depth=2, heads=3, hidden=48)
    own = HeadedEncoder(shape, torch.nn.Linear(24, 10))
    initialise(own, 0)
    described = network_of(own.eval(), "own")
    images = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    with torch.no_grad():
        assert torch.allclose(plain(described).logits(images), described.logits(images), atol=1e-5)
    with pytest.raises(BadInput, match="one architecture"):
        merged((trio[0], described, trio[0]))
    for wrong in ({"a": "no-such"}, {"how": "glue"}, {"scale_b": 9.0}):
        with pytest.raises(BadInput):
            MergeSpec(**{"a": A, "b": B, **wrong})


def test_steps_of_a_callback_stop_where_the_generator_is_closed() -> None:
    seen: list[int] = []

    def work(watch) -> str:
        for step in range(5):
            seen.append(step)
            watch(step)
        return "made"

    steps = stepwise(work)
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()
    for thread in threading.enumerate():
        if thread.name == "stepwise":
            thread.join(10)
    assert seen == [0, 1]
    whole = stepwise(work)
    with pytest.raises(StopIteration) as end:
        while True:
            next(whole)
    assert end.value.value == "made"
    with pytest.raises(ZeroDivisionError):
        next(stepwise(lambda watch: 1 / 0))


def test_gates_open_where_the_pair_agrees_and_are_seen_on_the_axes_of_most_spread(trio) -> None:
    draw = np.random.default_rng(0)
    groups = [draw.normal(size=(n, 12)).astype(np.float32) for n in (30, 30, 80)]
    for each in groups[:2]:
        each[:, 3] += 6
    *_, found = gated(groups, 0.05)
    assert found.gates.argmax() == 3 and 3 in found.chosen
    assert found.after[0] > found.before[0] and list(np.bincount(found.group)) == [30, 30, 80]
    line = np.outer([-2.0, -1.0, 1.0, 2.0], [3.0, 4.0]).astype(np.float32)
    assert np.allclose(np.abs(main_axes(line)), [[1, 0]] * 4, atol=1e-5)
    *_, told = of_classes(A, "3", "8", net=trio[0], data="digits()")
    assert len(told.gates) == 192 and set(told.group.tolist()) == {0, 1, 2}
    assert placed(trio[0], "coffee").shape == (4, 192)
    for pair in (("3", "3"), ("3", "eleven")):
        with pytest.raises(BadInput):
            list(of_classes(A, *pair, net=trio[0], data="digits()"))
    with pytest.raises(BadInput, match="take two"):
        list(of_photos(A, "coffee", "coffee", net=trio[0]))
