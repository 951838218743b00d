"""The gradient of a gate is what a small turn of it does; the greedy search finds the best head."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.interventions.subjects import network_named, pictures
from workbench.errors import BadInput
from workbench.explain import head_importance, which_heads
from workbench.interventions import intervene


@pytest.mark.parametrize("which", ["vit_small_patch14_reg4_dinov2", "swin_tiny_patch4_window7_224"])
def test_importance_is_the_slope_at_an_open_gate(which: str) -> None:
    network, images = network_named(which), pictures(network_named(which))
    found = head_importance(network, images, 3)
    assert found.shape == (network.depth, max(network.heads))
    for layer, head in ((0, 0), (1, 1), (network.depth - 1, network.heads[-1] - 1)):
        slopes = []
        for step in (1e-2, -1e-2):
            gates = [1.0] * network.heads[layer]
            gates[head] += step
            with torch.no_grad(), intervene(network, f"heads_scale(layer={layer}, gates={gates})"):
                scores = network.logits(images)
            slopes.append(F.cross_entropy(scores, torch.tensor([3, 3]), reduction="none"))
        slope = ((slopes[0] - slopes[1]) / 2e-2).abs().mean()
        assert float(found[layer, head]) == pytest.approx(float(slope), rel=0.05, abs=2e-3)
    assert torch.equal(found.isnan().any(1), torch.tensor(network.heads) < max(network.heads))


def test_the_greedy_search_takes_the_best_head_each_time_and_goes_on_where_it_stopped() -> None:
    network, images = network_named("ours"), pictures(network_named("ours"))
    with torch.no_grad():
        whole = network.logits(images)

    def left(recipe: str) -> float:
        with torch.no_grad(), intervene(network, recipe):
            return float(F.cosine_similarity(network.logits(images), whole).mean())

    steps = list(which_heads(network, images, count=3))
    first = {
        (at, h): left(f"heads_off(layer={at}, heads=[{h}])") for at in range(3) for h in range(4)
    }
    assert steps[0].off[0] == max(first, key=lambda each: first[each])
    assert steps[0].values[0] == pytest.approx(max(first.values()))
    assert left(steps[-1].recipe()) == pytest.approx(steps[-1].values[-1])
    assert [each.tried for each in steps] == [12, 23, 33] and steps[-1].total == 33
    resumed = list(which_heads(network, images, count=3, resume=steps[0].record()))
    assert resumed[-1] == steps[-1] and len(resumed) == 2
    needed = next(iter(which_heads(network, images, count=1, find="needed")))
    assert needed.off[0] == min(first, key=lambda each: first[each])
    bad: dict[str, Any] = {"off": [[9, 0]], "values": [0.5]}
    with pytest.raises(BadInput, match="the record is not one of a search on this network"):
        next(which_heads(network, images, resume=bad))
