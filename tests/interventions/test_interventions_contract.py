"""What every intervention promises, asked of each on every kind of network that it names."""

# pyright: reportPrivateUsage=false

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.interventions.subjects import (
    BLOCKS,
    CONVNETS,
    changed_where_hidden,
    half_hidden,
    network_named,
    pictures,
)
from workbench.errors import BadInput
from workbench.interventions import INTERVENTIONS, intervene, recipes_of
from workbench.models.network import Network

NAMES = INTERVENTIONS.names()
KINDS = {"vit": "vit", "swin": "windows"}
PAIRS = [
    (name, network)
    for name in NAMES
    for network in (*BLOCKS, *CONVNETS)
    if network_named(network).kind in INTERVENTIONS.get(name).on
]


def told(network: Network, images: np.ndarray) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return network.features(images), network.logits(images)


def traces(module: nn.Module) -> list[Any]:
    """Everything that a hook or a switched forward would leave on a network."""
    return [
        (
            name, len(each._forward_hooks), len(each._forward_pre_hooks), len(each._backward_hooks),
            len(each._backward_pre_hooks), "forward" in vars(each), id(each), each.training,
            [(key, id(value), value.requires_grad) for key, value in each._parameters.items()
             if value is not None],
        )
        for name, each in module.named_modules()
    ]  # fmt: skip


def given(network: Network) -> dict[str, Any]:
    return {"mask": half_hidden(network), "source": pictures(network, 2, seed=5)}


@pytest.mark.parametrize(("name", "which"), PAIRS)
def test_idle_is_the_plain_model_and_the_default_is_not(name: str, which: str) -> None:
    network = network_named(which)
    images, member = pictures(network), INTERVENTIONS.get(name)
    before, plain = traces(network.module), told(network, images)
    with intervene(network, member.idle, **given(network)):
        idle = told(network, images)
    assert all(map(torch.equal, plain, idle))
    with intervene(network, name, **given(network)):
        changed = told(network, images)
    assert not torch.equal(plain[1], changed[1])
    assert all(bool(torch.isfinite(each).all()) for each in changed)
    assert traces(network.module) == before
    assert all(map(torch.equal, plain, told(network, images)))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_stays_behind_after_an_exception(name: str) -> None:
    network = network_named("convnext_tiny" if "vit" not in INTERVENTIONS.get(name).on else "ours")
    before = traces(network.module)
    with pytest.raises(ZeroDivisionError), intervene(network, name, **given(network)):
        told(network, pictures(network))
        raise ZeroDivisionError
    assert traces(network.module) == before
    if network.depth:
        with (
            pytest.raises(BadInput, match="layer is 9, but ours has 3 blocks"),
            intervene(network, f"{name} ; heads_off(layer=9)", **given(network)),
        ):
            pass
        assert traces(network.module) == before


@pytest.mark.parametrize("name", [n for n in NAMES if "vit" in INTERVENTIONS.get(n).on])
@pytest.mark.parametrize("which", ["ours", "eva02_tiny_patch14_224"])
def test_each_composes_with_all_others(name: str, which: str) -> None:
    network = network_named(which)
    images, handed = pictures(network), given(network)
    others = [INTERVENTIONS.get(n).idle for n in NAMES if "vit" in INTERVENTIONS.get(n).on]
    with intervene(network, name, **handed):
        alone = told(network, images)
    for composed in ([name, *others], [*others, name]):
        with intervene(network, composed, **handed):
            assert all(map(torch.equal, alone, told(network, images)))
    before = traces(network.module)
    for other in NAMES:
        if "vit" not in INTERVENTIONS.get(other).on:
            continue
        with intervene(network, f"{name} ; {other}", **handed):
            if _unclear(name, other):
                with pytest.raises(BadInput, match=r"tokens (are|were) "):
                    told(network, images)
            else:
                assert bool(torch.isfinite(told(network, images)[1]).all())
    assert traces(network.module) == before


def _unclear(name: str, other: str) -> bool:
    """Centres of merged tokens are no patches, so that nothing can be said about patches there."""
    about_patches = {"hide_keys", "drop_tokens", "window", "axial", "groups", "decay"}
    if (name, other) in (("merge_tokens", "merge_tokens"), ("replace", "merge_tokens")):
        return True
    return "merge_tokens" in (name, other) and bool(about_patches & {name, other})


@pytest.mark.parametrize("name", [n for n in NAMES if INTERVENTIONS.get(n).hides])
@pytest.mark.parametrize("which", [n for n in (*BLOCKS, *CONVNETS)])
def test_hidden_content_cannot_reach_the_output(name: str, which: str) -> None:
    network = network_named(which)
    if network.kind not in INTERVENTIONS.get(name).on:
        return
    images, mask = pictures(network), half_hidden(network)
    other = changed_where_hidden(images, mask, network)
    assert not torch.equal(told(network, images)[1], told(network, other)[1])
    with intervene(network, name, mask=mask):
        first, second = told(network, images), told(network, other)
    assert all(map(torch.equal, first, second))


def test_recipes_print_parse_and_refuse() -> None:
    text = 'heads_off(layer=3, heads=[0, 5]) ; hide_keys(how="hard", mask=\'painted(hide="0;")\')'
    assert [str(each) for each in recipes_of(text)] == [
        "heads_off(layer=3, heads=[0, 5])",
        'hide_keys(mask=\'painted(hide="0;")\', how="hard")',
    ]
    for name in NAMES:
        member = INTERVENTIONS.get(name)
        assert recipes_of(str(member())) == [member()]
        assert recipes_of(member.idle)[0].name == name
    with pytest.raises(BadInput, match=r"heads is .0.5,.*must be a list of whole numbers"):
        recipes_of("heads_off(heads=[0.5])")
    with pytest.raises(BadInput, match="heads_of' is no known intervention; choose one of: "):
        recipes_of("heads_of(layer=1)")


def test_another_kind_of_network_and_missing_things_are_refused() -> None:
    with (
        pytest.raises(BadInput, match="heads_off works in vision transformers and Swin, but"),
        intervene(network_named("resnet18"), "heads_off"),
    ):
        pass
    with (
        pytest.raises(BadInput, match="the mask is 'given', but none was given with the picture"),
        intervene(network_named("ours"), "hide_keys"),
    ):
        pass
    with (
        pytest.raises(BadInput, match="heads has 4, but block 1 of ours has 4 heads; take 0 to 3"),
        intervene(network_named("ours"), "heads_off(layer=1, heads=[4])"),
    ):
        pass
