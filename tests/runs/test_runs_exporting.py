"""What a run has trained, written for timm: the same answers by timm itself and by load_network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from tests.runs.conftest import Small
from workbench.cli import run as command
from workbench.errors import BadInput
from workbench.models import load_network
from workbench.runs.exporting import export_run
from workbench.runs.networks import run_network
from workbench.runs.store import RunStore
from workbench.runs.training import train


@pytest.mark.parametrize(
    ("objective", "size", "patch", "classes", "by_timm"),
    [
        ("supervised()", 24, 4, 10, True),
        ("mae(decoder_dim=48, decoder_depth=1)", 24, 6, 0, True),
        ('supervised(network="test_resnet")', 32, 32, 10, True),
        ('supervised(network="test_resnet")', 32, 8, 10, False),  # strides that timm cannot be told
    ],
)
def test_a_run_is_exported_and_answers_the_same(
    objective: str, size: int, patch: int, classes: int, by_timm: bool,
    store: RunStore, small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    mask = "" if "supervised" in objective else "random(ratio=0.75)"
    run = store.create(
        small(objective=objective, mask=mask, size=size, patch=patch, steps=2, save_every=2)
    )
    assert train(run) == "done"
    capsys.readouterr()
    out = tmp_path / "exported"
    words = ["runs", "export", run.id, "--out", str(out), "--dir", str(store.folder), "--json"]
    assert command(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (len(told["classes"]), told["size"]) == (classes, [size, size])
    images = np.random.default_rng(0).random((3, 3, size, size), np.float32)
    mine, read = run_network(run.id, store.folder), load_network(out)
    assert (read.classes, read.patch, read.labels) == (classes, patch, mine.labels)
    asked = (lambda net: net.logits(images)) if classes else (lambda net: net.features(images))
    with torch.no_grad():
        wanted = asked(mine)
        assert torch.allclose(asked(read), wanted, atol=1e-5)
        theirs: Any = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        given = theirs(read.prepare(images))
    if classes:
        assert torch.allclose(given, wanted, atol=1e-5) == by_timm
    else:  # timm's features are the mean of the patch tokens that ours are made of
        assert torch.allclose(given, wanted[:, 1:].mean(1), atol=1e-5)
    with pytest.raises(BadInput, match="is there already; give a folder that is new"):
        export_run(run.id, out, store.folder)


def test_a_network_in_the_users_folder_is_read_by_its_name(
    small: Small, store: RunStore, workbench_home: Path
) -> None:
    run = store.create(small(objective="supervised()", mask="", steps=2, save_every=2))
    assert train(run) == "done"
    export_run(run.id, workbench_home / "models" / "my-digits", store.folder)
    network = load_network("my-digits")
    assert network.labels == tuple("0123456789") and network.classes == 10
