"""A run's trained model among the models: listed without torch, loaded by its id."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.runs.conftest import Small, Trainers
from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.models import list_models, load_encoder, load_reconstructor
from workbench.models.catalog import broken_cards
from workbench.models.checkpoint import run_card
from workbench.objectives import OBJECTIVES, Batch, EncoderShape
from workbench.runs.evaluating import load_model
from workbench.runs.store import Run, RunStore
from workbench.scenes import SceneSpec, compose

LISTING = """
import json, sys
from workbench.models import list_models
print(json.dumps([[i.name, i.label, i.rows, i.patch, i.norm_pix] for i in list_models()]))
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, small: Small, trainers: Trainers
) -> dict[str, Run]:
    """A home with trained runs: of pixels, of pixels by mask tokens, of pixels normalised."""
    place = tmp_path_factory.mktemp("home")
    store = RunStore(place / "runs")
    objectives = {
        "plain": "mae(norm_pix=False, decoder_dim=16, decoder_depth=1)",
        "tokens": "simmim()",
        "normalised": "mr_mae(decoder_dim=16, decoder_depth=1)",
    }
    made = {}
    for name, objective in objectives.items():
        config = small(
            objective=objective, mask="random(ratio=0.5)", steps=4, name=name, save_every=2
        )
        made[name] = store.create(config)
        assert trainers.train(made[name]) == 0, made[name].log()
    return made


@pytest.fixture(autouse=True)
def at_home(home: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(home["plain"].path.parent.parent))


def test_runs_that_fill_in_pixels_are_listed_without_torch(home: dict[str, Run]) -> None:
    said = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    found = [row for row in json.loads(said.stdout) if row[0].startswith("run:")]
    wanted = [home[name].id for name in ("normalised", "tokens", "plain")]  # the newest first
    assert [row[0] for row in found] == [f"run:{name}" for name in wanted]
    assert [row[2:] for row in found] == [[4, 2, True], [4, 2, False], [4, 2, False]]
    assert found[2][1] == f"run plain, step 4 ({home['plain'].id[-8:]})"


@pytest.mark.parametrize("kind", ["plain", "tokens"])
def test_the_model_of_a_run_says_what_its_objective_does(home: dict[str, Run], kind: str) -> None:
    run = home[kind]
    pictures = DATASETS.parse("digits()").load(8, train=False)
    images = torch.from_numpy(pictures.images[:5]).permute(0, 3, 1, 2).float() / 255
    mask = MASKS.parse("random(ratio=0.5)").sample(Grid(4, 4, patch=2), count=5, seed=3)
    model = load_reconstructor(f"run:{run.id}", device="cpu", precision="fp32")
    said = model(images, mask).composite
    setting, trained, step = load_model(run)
    assert step == 4 and model.card["steps"] == 4
    with torch.inference_mode():
        batch = Batch(images, np.arange(5))
        wanted = setting.objective.picture(trained, batch, mask)["reconstruction"]
    assert torch.allclose(said, wanted, atol=2e-5)
    assert load_reconstructor(run.path, device="cpu", precision="fp32").hash == model.hash
    encoder = load_encoder(f"run:{run.id}")
    assert encoder.shape.dim == 32 and encoder.shape.depth == 2


def test_a_scene_uses_the_newest_checkpoint_of_a_run(home: dict[str, Run]) -> None:
    run = home["normalised"]
    spec = SceneSpec.from_query({"model": f"run:{run.id}", "mask": "random(ratio=0.5)"})
    first = compose(spec)
    assert first.photo.shape == (8, 8, 3) and first.grid.size == 16
    newest = run.checkpoints()[-1][1]
    kept = newest.with_name("kept")
    newest.rename(kept)  # as the run stood at its step 2
    try:
        assert compose(spec).model_hash != first.model_hash
        label = next(i.label for i in list_models() if i.name == spec.model)
        assert ", step 2 (" in label
    finally:
        kept.rename(newest)
        os.utime(newest.parent)
    assert compose(spec).model_hash == first.model_hash


@pytest.mark.parametrize(
    "objective", ["mae()", "dmae()", "simmim()", "mto()", "ijepa()", "crate_mae()", "beit()"]
)
def test_a_card_is_for_plain_models_of_pixels_alone(objective: str) -> None:
    """CRATE's blocks are others, I-JEPA predicts features and BEiT codes: none would load."""
    member = OBJECTIVES.parse(objective)
    shape = EncoderShape(rows=4, cols=4, patch=2, dim=24, depth=2, heads=3, hidden=96)
    card = run_card(member.build(shape, 0), getattr(member, "norm_pix", None), "mine")
    assert (card is not None) == (objective in ("mae()", "dmae()", "simmim()", "mto()"))
    assert card is None or card["shape"]["dim"] == 24
    assert card is None or card["norm_pix"] is (objective in ("mae()", "dmae()"))


def test_what_cannot_be_used_is_told_in_a_sentence(home: dict[str, Run]) -> None:
    with pytest.raises(BadInput, match="no run with a model that fills in pixels"):
        load_reconstructor("run:nowhere")
    card = home["plain"].path / "model.json"
    good = card.read_text()
    try:
        card.write_text("{}")
        os.utime(card.parent / "checkpoints")
        assert any("model.json" in sentence for sentence in broken_cards())
    finally:
        card.write_text(good)
