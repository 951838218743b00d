"""Classifiers of runs as networks: what their own objective says is what the network says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.objectives import OBJECTIVES
from workbench.runs.config import RunConfig
from workbench.runs.networks import LABELLED, run_network, trained_classifiers
from workbench.runs.presets import run_preset
from workbench.runs.store import RunStore
from workbench.runs.trained import load_model
from workbench.runs.training import train

KNOBS = {
    "data": "digits()", "size": 16, "batch": 16, "steps": 2, "warmup": 0, "picture_every": 0,
    "dim": 32, "depth": 1, "heads": 2, "threads": 1, "optimiser": "adamw",
}  # fmt: skip


@pytest.mark.parametrize(
    "recipe, patch", [("supervised()", 4), ('supervised(network="test_resnet")', 8)]
)
def test_a_runs_classifier_says_as_a_network_what_its_head_says(
    recipe: str, patch: int, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig(objective=recipe, patch=patch, **KNOBS))
    train(run)
    assert [each.id for each in trained_classifiers(tmp_path)] == [run.id]
    network = run_network(f"run:{run.id}", tmp_path)
    assert network.labels == tuple("0123456789") and network.size == (16, 16)
    images = np.random.default_rng(0).random((3, 3, 16, 16), np.float32)
    _, model, step = load_model(run)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (network.mean, network.std))
    ready = (torch.from_numpy(images) - mean) / std
    with torch.inference_mode():
        said = network.logits(images)
        if network.kind == "convnet":
            known = model(ready)
            assert network.features(images).shape[2:] == (2, 2)  # 16 px, a stride of 8
        else:
            rows = (
                ready.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).reshape(3, 16, 48)
            )
            known = model.head(model.encoder(rows)[:, model.encoder.shape.prefix :].mean(1))
    assert step == 2 and torch.allclose(said, known, atol=1e-5)


def test_labelled_objectives_are_listed_and_a_stride_that_cannot_be_is_refused() -> None:
    takes = {name for name in OBJECTIVES.names() if OBJECTIVES.get(name).takes == "labelled"}
    assert takes == set(LABELLED)
    shape = run_preset("cifar10_supervised_tiny")
    assert shape.patch == 4
    from workbench.models.classifier import classifying_convnet

    for name, stride in (("no_such_net", 8), ("vit_tiny_patch16_224", 16), ("test_resnet", 5)):
        with pytest.raises(BadInput):
            classifying_convnet(name, stride, 10, 0)
