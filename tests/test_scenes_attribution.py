"""The door of the view Attribution: maps beside calls by hand, commands, a painted mask's cells."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from tests.interventions.subjects import scramble
from workbench.cli import run
from workbench.errors import BadInput
from workbench.explain import explain
from workbench.explain.agreement import PAINTED, agreement
from workbench.explain.judging import curves
from workbench.explain.removal import cells_of
from workbench.masks import Grid
from workbench.models import Network, load_network, network_of, save_network
from workbench.scenes.attribution import attributions, choices
from workbench.scenes.attribution_judged import painted_cells
from workbench.scenes.attribution_spec import AttributionSpec, offered
from workbench.scenes.photos import fitted

NAME, LABELS, FEW = "vit_tiny_patch16_224", ("cat", "dog", "hat"), {"depth": 4}


@pytest.fixture(scope="module")
def nets() -> tuple[Network, Network]:
    vit = timm.create_model(NAME, img_size=(64, 64), num_classes=3, **FEW)
    convnet = timm.create_model("convnext_atto", num_classes=3)
    small = replace(network_of(scramble(convnet)), size=(64, 64))
    return network_of(scramble(vit)), small


@pytest.fixture
def own(nets: tuple[Network, Network], workbench_home: Path) -> Iterator[Path]:
    save_network(nets[0], workbench_home / "models" / "my-vit", NAME, LABELS, FEW)
    save_network(nets[1], workbench_home / "models" / "my-net", "convnext_atto", LABELS)
    yield workbench_home / "models"


def told(spec: AttributionSpec) -> dict[str, list[Any]]:
    made = list(attributions(spec))
    assert all(a.done <= b.done for a, b in pairwise(made))
    assert all(each.done <= each.total or not each.total for each in made)
    assert made[-1].done == made[-1].total
    names = ("said", "map", "judged", "agreement")
    return {n: [x for x in (getattr(each, n) for each in made) if x is not None] for n in names}


def test_maps_are_those_of_explain_and_are_kept(own: Path, nets: Any) -> None:
    spec = AttributionSpec(
        photo="coffee", network="my-vit", beside="my-net", target="cat", remove="blur",
        methods=("rollout", "occlusion(window=2)", "saliency"), batch=5,
    )  # fmt: skip
    found = told(spec)
    assert [each.scores[0][1] in LABELS for each in found["said"]] == [True, True]
    made = {(each.row, each.method): each for each in found["map"]}
    assert "has no attention" in made[1, "rollout()"].problem and len(made) == 6
    for row, network in enumerate(nets):
        photo = fitted("coffee", *network.size, "crop")
        image = photo.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        for method in spec.methods[1:]:
            wanted = explain(network, image, 0, method, "blur", batch=5)
            each = made[row, method]
            assert np.allclose(each.found.values, wanted.values, atol=1e-6)
            assert (each.found.target, each.found.label) == (0, "cat")
            assert np.array_equal(each.cells, each.found.cells(cells_of(network, network.size)))
        fine = np.abs(made[row, "saliency()"].found.values)
        beyond = float((fine > made[row, "saliency()"].top).mean())
        assert 0 <= beyond <= 0.006
    again = {(each.row, each.method): each.found for each in told(spec)["map"]}
    assert all(again[key] is each.found for key, each in made.items())


def test_a_changed_checkpoint_is_explained_anew(own: Path, nets: Any, workbench_home: Path) -> None:
    spec = AttributionSpec(network="my-vit", target="cat", methods=("saliency",))
    (before,) = told(spec)["map"]
    with torch.no_grad():
        weight = nets[0].module.head.weight
        kept = weight.clone()
        weight.mul_(3)
        save_network(nets[0], workbench_home / "models" / "my-vit", NAME, LABELS, FEW)
        weight.copy_(kept)
    (after,) = told(spec)["map"]
    assert np.allclose(after.found.values, 3 * before.found.values, rtol=1e-3)


def test_the_copied_command_writes_the_same_map(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = AttributionSpec(
        photo="coffee", network="my-vit", target="hat", methods=("rise(count=12)",), batch=7,
        remove="drop_tokens", seed=4, fit="resize", judge=True, draws=1,
        ways=("grey", "drop_tokens"),
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = shlex.split(spec.commands())
    assert words[:3] == ["python", "-m", "workbench"] and run(words[3:]) == 0
    found = told(spec)
    values = np.load(tmp_path / "explained" / "map.npy")
    assert np.array_equal(values, found["map"][0].found.values)
    namespace: dict[str, Any] = {}
    exec(spec.python().replace("print(", "kept = ("), namespace)
    assert np.array_equal(namespace["kept"][2], found["map"][0].cells)


def test_marks_are_those_by_hand_and_nothing_is_left_behind(own: Path) -> None:
    spec = AttributionSpec(
        photo="coffee", network="my-vit", target="dog", judge=True, draws=1, batch=8,
        methods=("feature_ablation", "relevance"), ways=("black", "drop_tokens"), remove="black",
        mask='painted(hide="0-35")',
    )  # fmt: skip
    found = told(spec)
    last = {each.method: each for each in found["judged"]}
    assert list(last) == ["feature_ablation()", "relevance()", "random()", "centre()"]
    network = load_network(own / "my-vit")
    photo = fitted("coffee", *network.size, "crop")
    image = photo.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    maps = {each.method: each.cells for each in found["map"]}
    for name, cells in maps.items():
        wanted = curves(network, image, 1, cells, spec.ways, batch=8)
        for mine, theirs in zip(last[name].curves, wanted, strict=True):
            assert (mine.kind, mine.operator) == (theirs.kind, theirs.operator)
            assert np.allclose(mine.values, theirs.values, atol=1e-5)
        assert last[name].layers[0] == 1 and len(last[name].randomised) == 3
        assert last[name].sensitivity is not None and last[name].sensitivity > 0
    assert last["random()"].sensitivity is None and last["centre()"].randomised == ()
    # The oracle of single removals foretells better than chance; drawn weights were a copy's.
    assert last["feature_ablation()"].infidelity < last["random()"].infidelity
    (again,) = [each for each in told(spec.replace(judge=False, methods=("relevance()",)))["map"]]
    fresh = explain(network, image, 1, "relevance").values
    assert np.allclose(again.found.values, fresh, atol=1e-6)
    (agreed,) = found["agreement"]
    assert agreed.found.names == (PAINTED, "feature_ablation()", "relevance()", "attention()")
    assert agreed.found.count == 4


def test_a_search_stops_between_two_batches_and_shows_no_more_at_once(
    own: Path,
) -> None:
    from workbench.scenes.inside import network

    seen: list[int] = []
    module = network("my-vit").module
    handle = module.register_forward_pre_hook(lambda _m, args: seen.append(len(args[0])))
    spec = AttributionSpec(network="my-vit", methods=("rise(count=5000)",), batch=6)
    steps = attributions(spec)
    for _ in range(6):
        made = next(steps)
    steps.close()
    handle.remove()
    assert 1 < max(seen) <= 6 and sum(seen) < 60 and 0 < made.done < made.total == 5000
    assert torch.is_grad_enabled()


def test_a_painted_mask_moves_to_the_cells_it_covers() -> None:
    spec = AttributionSpec(mask='painted(hide="0-2,12-14,24-26,143")')  # a 3 x 3 corner of 12 x 12
    cells = painted_cells(spec, Grid(4, 4, patch=16))
    assert np.flatnonzero(cells).tolist() == [0]  # 10 of 144 patches are 1 of 16 cells
    finer = painted_cells(spec, Grid(24, 24, patch=6))
    assert finer.sum() == 40 and finer[:6, :6].all() and finer[22:, 22:].all()
    thin = spec.replace(mask='painted(hide="143")')
    assert np.flatnonzero(painted_cells(thin, Grid(4, 4, patch=16))).tolist() == [15]
    with pytest.raises(BadInput, match="hides nothing"):
        painted_cells(spec.replace(mask='painted(hide="")'), Grid(4, 4, patch=16))


def test_agreement_is_one_with_itself_and_counts_shared_cells() -> None:
    first = np.arange(12.0).reshape(3, 4)
    painted = np.zeros((3, 4), bool)
    painted[2, 2:] = painted[0, 0] = True
    found = agreement({"up": first, "down": -first}, painted)
    assert found.names == (PAINTED, "up", "down") and found.count == 3
    assert np.allclose(np.diag(found.ranks), 1) and found.ranks[1, 2] == pytest.approx(-1)
    assert found.overlaps[0, 1] == pytest.approx(2 / 4) and found.overlaps[1, 2] == 0
    assert found.overlaps[0, 2] == pytest.approx(1 / 5)
    assert np.allclose(found.overlaps, found.overlaps.T)
    assert agreement({"up": first, "same": first}).count == 3
    with pytest.raises(BadInput, match="no map to compare"):
        agreement({})


def test_what_cannot_be_chosen_says_why(own: Path) -> None:
    vit, convnet = choices("my-vit"), choices("my-net")
    assert vit.classes == LABELS and set(vit.methods.values()) == {""}
    assert vit.removals["layer_mask"] == "only in convnets" and not vit.removals["drop_tokens"]
    assert "attention" in convnet.methods["rollout"] and not convnet.removals["layer_mask"]
    assert convnet.removals["hide_keys"].startswith("only in vision transformers")
    assert choices("default").classes == ()
    labels = offered()
    assert labels["my-vit"] == "my-vit" and "random weights" in labels["timm:resnet18"]


def test_a_link_restores_the_view_and_bad_ones_are_refused(own: Path) -> None:
    spec = AttributionSpec(
        photo="coffee", network="my-vit", beside="default", target="dog", seed=3, judge=True,
        methods=("lime(count=20)", 'rollout(fuse="max")'), ways=("grey", "hide_keys"), draws=2,
    )  # fmt: skip
    assert AttributionSpec.from_query(spec.to_query()) == spec
    assert spec.methods[1] == 'rollout(fuse="max")' and AttributionSpec().to_query() == {}
    for query, words in (
        ({"network": "/etc/passwd"}, "no network here is called"),
        ({"methods": "guess()"}, "no known method"),
        ({"methods": " ; "}, "0 methods are named, wanted 1 to 8"),
        ({"remove": "magic"}, "removes nothing that is known"),
        ({"batch": "0"}, "batch is 0, wanted 1 to 256"),
        ({"draws": "x"}, "draws is 'x', but must be a whole number"),
        ({"fit": "bend"}, "fit is 'bend'"),
    ):
        with pytest.raises(BadInput, match=words):
            AttributionSpec.from_query(query)
