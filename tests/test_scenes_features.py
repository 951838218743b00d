"""The view of features: numbers against the code by hand, links, commands that say the same."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from tests.browser.visitor import png
from tests.interventions.subjects import scramble
from workbench.cli import run
from workbench.data import uploads
from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.features import layer_tokens
from workbench.features.reading import Compared, Latents, ordered
from workbench.models import network_of, save_network
from workbench.runs.networks import named_network
from workbench.scenes.features import learn_features, look, picture, study_of
from workbench.scenes.features_more import facets, rank
from workbench.scenes.features_sets import set_of, set_recipe, sets_here
from workbench.scenes.features_spec import FeaturesSpec

NAME, LABELS, ARGUMENTS = "vit_tiny_patch16_224", ("cat", "dog", "hat"), {"depth": 2}
SPEC = FeaturesSpec(
    network="mine", layer=1, data="digits()", count=20, expansion=1, active=4, steps=12, batch=64,
    photo="coffee", mask="painted(hide='0-7')", fill="black()", pairs=4, facets=2, climb=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    """A home with one small network in it, and a code learnt there."""
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(place))
        torch.manual_seed(0)
        model = scramble(timm.create_model(NAME, img_size=64, num_classes=3, **ARGUMENTS))
        save_network(network_of(model), place / "models" / "mine", NAME, LABELS, ARGUMENTS)
        steps = list(learn_features(SPEC))
        yield steps


def test_steps_count_up_to_a_study_that_is_kept(home) -> None:
    done = [each.done for each in home]
    assert done == sorted(done) and done[-1] == home[-1].total and len(home) > 12
    study = home[-1].study
    assert study_of(SPEC) is study and study_of(SPEC.replace(order="mask", latent=3)) is study
    assert study_of(SPEC.replace(steps=13)) is None
    assert "features" in home[-1].said and study.report()["pictures"] == 20


def test_what_is_seen_on_a_photo_and_its_twin_is_what_the_code_gives(home) -> None:
    study = home[-1].study
    seen = look(SPEC, study)
    network = named_network("mine")
    images = np.stack([seen.photo, seen.masked]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    assert (seen.masked[:32] == 0).all() and (seen.masked[32:] == seen.photo[32:]).all()
    assert (seen.hidden, seen.patches) == (8, 16)
    values = study.code.encode(layer_tokens(network, images, 1)).numpy()
    for each in seen.features:
        np.testing.assert_allclose(each.here.reshape(2, 16), values[..., each.latent], atol=2e-3)
        assert each.peaks == pytest.approx(each.here.reshape(2, -1).max(1).tolist())
        assert each.maps.shape == (len(each.rows), 4, 4)
        assert each.maps[0].max() == pytest.approx(study.latents.peaks[:, each.latent].max())
    named = look(SPEC.replace(latent=int(np.argmin(study.latents.rates))), study)
    assert named.features[0].latent == np.argmin(study.latents.rates)
    digit = DATASETS.parse("digits()").load(8).images
    assert picture(SPEC, 0).shape == (64, 64, 3) and picture(SPEC, 0).max() <= digit.max()
    with pytest.raises(BadInput, match="take another order"):
        look(SPEC.replace(mask="painted()", order="mask"), study)
    with pytest.raises(BadInput, match="picture 20 is not there"):
        picture(SPEC, 20)


def test_orders_are_those_of_their_numbers() -> None:
    peaks = np.array([[3, 1, 0, 2], [3, 1, 0, 2], [3, 1, 0, 0]], np.float32)
    latents = Latents(peaks, np.array([0.5, 0.9, 0.0, 0.1], np.float32), 0.5, 1.5)
    maps = np.zeros((2, 2, 4), np.float32)
    maps[0, 0], maps[1, 1] = (1, 4, 0, 2), (1, 1, 0, 3)
    compared = Compared(maps)
    assert ordered(latents, "often", 9).tolist() == [1, 0, 3]
    assert ordered(latents, "photo", 2, compared).tolist() == [1, 3]
    assert ordered(latents, "mask", 9, compared).tolist() == [1, 3]  # 1.5 less, 0.5 more, 0 none
    np.testing.assert_allclose(compared.change, [0, 1.5, 0, -0.5])
    with pytest.raises(BadInput, match="name a photo"):
        ordered(latents, "photo", 2)


def test_heads_and_facets_come_step_by_step(home) -> None:
    last = list(rank(SPEC))[-1]
    assert last.codes.positive.shape == (6, 4) and last.pictures == 4
    with pytest.raises(BadInput, match="take another mask"):
        list(rank(SPEC.replace(mask="painted()")))
    for spec in (
        SPEC.replace(unit="class:2"),
        SPEC.replace(latent=look(SPEC, home[-1].study).features[0].latent),
    ):
        steps = list(facets(spec))
        ended = [each for each in steps if each.ended]
        assert steps[-1].done == steps[-1].total and 1 <= len(ended) <= 2
        rows = np.concatenate([each.facet.rows for each in ended])
        assert len(set(rows.tolist())) == len(rows) == spec.top == 10
        assert all(each.facet.value != each.facet.start.mean() for each in ended)
    with pytest.raises(BadInput, match="learn them first"):
        list(facets(SPEC.replace(draw=4)))


def test_a_link_restores_and_refuses(home, workbench_home: Path) -> None:
    spec = SPEC.replace(network="default")
    assert FeaturesSpec.from_query(spec.to_query()) == spec and FeaturesSpec().to_query() == {}
    for query, words in (
        ({"network": "nowhere"}, "no network here"),
        ({"data": 'folder(path="/etc")'}, "not offered here"),
        ({"data": 'cifar10(path="/etc")'}, "not offered here"),
        ({"steps": "9999999"}, "wanted 10 to"),
        ({"order": "best"}, "must be one of"),
    ):
        with pytest.raises(BadInput, match=words):
            FeaturesSpec.from_query(query)
    chosen = set_recipe("chosen", 100, ("coffee", "chelsea"))
    assert set_of(chosen) == ("chosen", ("coffee", "chelsea")) and set_of("digits()")[0] == "digits"
    made = DATASETS.parse(chosen).load(16)
    assert len(made) == 100 and {name.partition("#")[0] for name in made.names} == {
        "coffee",
        "chelsea",
    }
    mine = uploads.store(png(3))
    own = DATASETS.parse(set_recipe("chosen", 20, (mine,))).load(16)
    assert len(own) == 20 and own.images.std() > 20 and own.name(0) == f"{mine}#0"
    with pytest.raises(BadInput, match="neither a bundled photo nor an upload"):
        DATASETS.parse("photos(of='/etc/passwd')").load(16)


def test_cifar10_is_offered_where_a_copy_is(
    workbench_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sets_here() == ("photos", "chosen", "digits")
    (tmp_path / "data" / "cifar-10-batches-py").mkdir(parents=True)
    (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1").touch()
    assert sets_here()[-1] == "cifar10" and set_of(set_recipe("cifar10", 50, ()))[0] == "cifar10"


def test_the_commands_that_are_shown_say_the_same(home, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    latent = look(SPEC.replace(order="mask"), home[-1].study).features[0].latent
    spec = SPEC.replace(order="mask", latent=latent)
    lines = spec.commands(heads=True, facets=True).splitlines()
    told = []
    for line in lines:
        assert run([*shlex.split(line)[3:], "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    learnt, seen, heads, found = told
    report = home[-1].study.report()
    assert learnt["explained"] == pytest.approx(report["explained"], abs=1e-4)
    assert (learnt["latents"], learnt["dead"]) == (report["latents"], report["dead"])
    page = look(spec, home[-1].study)
    assert [each["latent"] for each in seen["shown"]] == [each.latent for each in page.features]
    for row, each in zip(seen["shown"], page.features, strict=True):
        assert (row["on_photo"], row["on_masked"]) == pytest.approx(each.peaks, abs=1e-3)
    codes = list(rank(spec))[-1].codes
    first = codes.places[codes.order[0]]
    assert (heads["heads"][0]["layer"], heads["heads"][0]["head"]) == first
    ended = [each.facet.value for each in facets(spec) if each.ended]
    assert [each["value"] for each in found["facets"]] == pytest.approx(ended, rel=1e-2)
    assert (tmp_path / "features" / "seen" / "photo.png").is_file()
