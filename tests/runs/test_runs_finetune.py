"""Fine-tuning finds classes that can be told, and guesses shuffled ones; layers learn by depth."""

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from tests.runs.conftest import Small, Trainers
from workbench.data.sets import Pictures
from workbench.errors import BadInput
from workbench.evaluations import EVALUATIONS
from workbench.evaluations.finetune import Finetune
from workbench.evaluations.subject import ROWS, Subject
from workbench.models.headed import pooled_tokens
from workbench.models.initial import initialise
from workbench.models.layering import depths, layer_scales
from workbench.models.transformer import ViT, ViTShape
from workbench.objectives import EncoderShape
from workbench.objectives.mixing import label_loss, mixed, mixing_share
from workbench.objectives.selfie import Selfie
from workbench.runs.config import RunConfig
from workbench.runs.evaluating import evaluate, evaluate_encoder
from workbench.runs.optimising import Optimiser
from workbench.runs.store import RunStore

SHAPE = ViTShape(rows=4, cols=4, patch=2, dim=32, depth=3, heads=2, hidden=64)
COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220]])


def coloured(count: int, seed: int, shuffled: bool = False) -> Pictures:
    """Pictures of noise around one of three colours, the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = COLOURS[labels][:, None, None] + rng.integers(-35, 36, (count, 8, 8, 3))
    told = rng.permutation(labels) if shuffled else labels
    return Pictures(images.astype(np.uint8), told.astype(np.int64), ("red", "green", "blue"))


def subject(shuffled: bool = False) -> Subject:
    encoder = ViT(SHAPE)
    initialise(encoder, 0)
    return Subject(
        encoder.eval(), lambda of: of, lambda of, x: pooled_tokens(cast(ViT, of), x),
        coloured(240, 0, shuffled), coloured(300, 1, shuffled), 8, torch.device("cpu"),
    )  # fmt: skip


def test_classes_that_can_be_told_are_found_and_the_model_stays() -> None:
    given = subject()
    before = {name: value.clone() for name, value in given.model.state_dict().items()}
    shares: list[float] = []
    protocol = Finetune(steps=40, batch=32)
    found = protocol.judge(given, shares.append)
    assert found.accuracy > 0.97 and found.count == 300
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert len(shares) == 40 + math.ceil(300 / ROWS["cpu"])  # steps, then batches of the test
    after = given.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert protocol.judge(subject()) == found
    assert str(EVALUATIONS.parse(str(protocol))) == "finetune(steps=40, batch=32)"


def test_shuffled_labels_are_guessed() -> None:
    found = Finetune(steps=40, batch=32, mixup=0.2).judge(subject(shuffled=True))
    assert abs(found.accuracy - 1 / 3) < 4 * (2 / 9 / 300) ** 0.5


def test_it_ends_where_its_report_raises() -> None:
    class Enough(Exception):
        pass

    def report(share: float) -> None:
        if share > 0.1:
            raise Enough

    with pytest.raises(Enough):
        Finetune(steps=100, batch=8).judge(subject(), report)


def test_layers_learn_by_depth_as_in_mae() -> None:
    # util/lr_decay.py: num_layers = depth + 1, layer i of them learns decay^(num_layers - i)
    scales = layer_scales(ViT(SHAPE), 0.5)
    assert scales["patch_embed.proj.weight"] == scales["pos_embed"] == scales["cls_token"] == 0.5**4
    assert scales["blocks.0.attn.qkv.weight"] == 0.5**3
    assert scales["blocks.2.mlp.fc2.bias"] == 0.5
    assert scales["norm.weight"] == 1.0
    import timm

    found, top = depths(timm.create_model("resnet10t", num_classes=0))
    assert found["conv1.0.weight"] == 0 and found["layer1.0.conv1.weight"] == 1
    assert found["layer4.0.conv1.weight"] == 4 and top == 5
    assert depths(nn.Linear(2, 2)) == ({"weight": 0, "bias": 0}, 0)


def test_layers_of_a_patch_embedding_are_no_blocks() -> None:
    shape = EncoderShape(rows=4, cols=4, patch=2, dim=32, depth=3, heads=2, hidden=64)
    picker = Selfie(layers=2).build(shape, 0)
    scales = layer_scales(picker.encoder, 0.5)
    told = {scale for name, scale in scales.items() if name.startswith("patch_embed.")}
    assert told == {0.5**4} and scales["blocks.2.mlp.fc2.bias"] == 0.5


def test_tokens_positions_biases_and_gains_do_not_decay() -> None:
    """As `no_weight_decay` of models_vit.py in facebookresearch/mae, in evaluations and in runs."""
    encoder, head = ViT(SHAPE), nn.Linear(32, 3)
    names = {id(p): name for name, p in encoder.named_parameters()}
    free = {n for n in names.values() if not n.endswith(".weight") or "norm" in n}
    assert {"cls_token", "pos_embed", "norm.weight", "blocks.0.attn.qkv.bias"} <= free
    groups = Finetune()._groups(encoder, head)  # pyright: ignore[reportPrivateUsage]
    config = RunConfig(optimiser="adamw", weight_decay=0.05)
    for found in (groups, Optimiser(encoder, config).parts[0].param_groups):
        kept = {names[id(p)] for g in found if not g["weight_decay"] for p in g["params"]
                if id(p) in names}  # fmt: skip
        assert kept == free


def test_mixing_is_the_formula() -> None:
    said, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    goal = torch.full((4, 3), 0.1 / 3)
    for row, label in enumerate(labels):
        goal[row, label] += 0.9 * 0.7
        goal[row, labels[3 - row]] += 0.9 * 0.3
    wanted = -(goal * said.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(label_loss(said, labels, 0.1, 0.7), wanted)
    images = torch.arange(4.0)[:, None]
    assert mixed(images, 0.75)[:, 0].tolist() == [0.75, 1.25, 1.75, 2.25]
    draws = np.array([mixing_share(0.2, 0, step) for step in range(2000)])
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))
    assert abs(draws.mean() - 0.5) < 0.04 and abs(draws.var() - 1 / 5.6) < 0.02
    assert mixing_share(0.0, 0, 7) == 1.0


def test_runs_and_encoders_in_files_are_fine_tuned(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    run = store.create(small(steps=2))
    assert trainers.train(run) == 0
    row = evaluate(run, "finetune(steps=3)", most=64)
    assert run.evaluations() == [row] and row["protocol"] == "finetune(steps=3)"
    assert row["details"]["steps"] == 3 and row["pictures"] == 64 and "rank" not in row
    knn, tuned = evaluate_encoder(
        "default", ["knn", "finetune(steps=1, batch=4)"], data="digits()", size=24, most=200
    )
    # chance is 10%; nearest neighbours tell digits in any sensible features
    assert knn["low"] > 0.5 and knn["rank"] > 2 and tuned["encoder"] == "default"
    with pytest.raises(BadInput, match="no classes to tell apart"):
        evaluate(run, "finetune", data="photos(crops=10)")
