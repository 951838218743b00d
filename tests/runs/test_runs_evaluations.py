"""Protocols tell separable features apart, and shuffled labels not; sweeps and comparisons."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.runs.conftest import Small, Trainers
from workbench.errors import BadInput
from workbench.evaluations import EVALUATIONS, Features
from workbench.evaluations.evaluation import scored
from workbench.evaluations.linear_probe import LinearProbe
from workbench.runs.comparing import compare, mean
from workbench.runs.evaluating import evaluate
from workbench.runs.store import STOP, RunStore
from workbench.runs.sweeping import combinations, values_of
from workbench.runs.training import train

CLASSES, EACH, DIM = 5, 60, 16


def clusters(seed: int, shuffled: bool = False) -> Features:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), EACH)
    centres = 4 * np.eye(CLASSES, DIM)
    values = (centres[labels] + rng.normal(0, 0.5, (len(labels), DIM))).astype(np.float32)
    return Features(values, rng.permutation(labels) if shuffled else labels)


FROZEN = [name for name in EVALUATIONS.names() if not EVALUATIONS.get(name).tunes]


@pytest.mark.parametrize("name", FROZEN)
def test_a_protocol_knows_separable_classes_and_guesses_shuffled_ones(name: str) -> None:
    protocol = EVALUATIONS.parse(name)
    right = protocol.score(clusters(0), clusters(1), CLASSES)
    assert right.accuracy == 1.0 and right.count == CLASSES * EACH
    guessed = protocol.score(clusters(0, shuffled=True), clusters(1, shuffled=True), CLASSES)
    chance = 1 / CLASSES
    assert abs(guessed.accuracy - chance) < 4 * (chance * (1 - chance) / guessed.count) ** 0.5
    assert guessed.low < guessed.accuracy < guessed.high
    assert str(EVALUATIONS.parse(str(protocol))) == str(protocol)


def test_the_interval_is_wilsons() -> None:
    found = scored(np.array([1] * 8 + [0] * 2), np.ones(10, np.int64))
    # Newcombe, Statistics in Medicine 17 (1998): 8 of 10 has the interval 0.4902 to 0.9433
    assert (found.accuracy, round(found.low, 4), round(found.high, 4)) == (0.8, 0.4902, 0.9433)


def test_features_that_are_no_numbers_are_refused() -> None:
    values = clusters(0).values.copy()
    values[3, 3] = np.nan
    with pytest.raises(BadInput, match="no finite number"):
        Features(values, clusters(0).labels)


def test_a_sweep_fills_a_comparison(store: RunStore, small: Small, trainers: Trainers) -> None:
    over = {"mask": ["random", "block"], "ratio": ["0.5"], "seed": ["0", "1"]}
    configs = combinations(small(steps=4), over, {}, "a sweep")
    assert [str(each.mask) for each in configs[::2]] == ["random(ratio=0.5)", "block(ratio=0.5)"]
    runs = [store.create(each) for each in configs]
    for run in runs:
        assert trainers.train(run) == 0
    shares: list[float] = []
    rows = [
        evaluate(runs[0], "knn(k=5)", report=shares.append),
        evaluate(runs[0], "knn(k=5)", step="initial"),
    ]
    assert [row["protocol"] for row in rows] == ["knn(k=5)", "knn(k=5)@initial"]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert len([each for each in shares if 0 < each < 0.5]) > 2  # while pictures are encoded
    assert all(0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1 for row in rows)
    found = compare(runs)
    assert found.differing == ["mask", "seed"] and len(found.groups) == 2
    assert found.groups[0]["metrics"]["loss"].count == 2
    losses = [row["metrics"]["loss"] for row in found.rows[:2]]
    assert found.groups[0]["metrics"]["loss"].mean == pytest.approx(sum(losses) / 2)
    with pytest.raises(BadInput, match="no classes to tell apart"):
        evaluate(runs[0], "knn", data="photos(crops=10)")


@pytest.mark.parametrize("asked", [False, True])
def test_a_stop_ends_an_evaluation_that_goes_on(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    protocols = ["linear_probe", "finetune(steps=2)"]
    run = store.create(small(steps=2, evaluate="knn; " + "; ".join(protocols)))
    fit, begun = LinearProbe._fit, list[float]()

    def stopped(own: LinearProbe, *told: Any) -> torch.Tensor:
        begun.append(told[3])
        if not asked:  # as a soft cancel does
            (run.path / STOP).touch()
        return fit(own, *told)

    monkeypatch.setattr(LinearProbe, "_fit", stopped)
    train(run, should_stop=lambda: asked and len(begun) > 0)
    assert len(begun) == 1  # of six: the probe was not made to its end
    state = run.state()
    assert (state["state"], state["doing"], run.alerts()) == ("done", "", [])
    assert state["reason"].startswith("the evaluation by linear_probe was stopped")
    assert [row["protocol"] for row in run.evaluations()] == ["knn"]
    assert not (run.path / STOP).exists()


def test_values_of_a_sweep() -> None:
    assert values_of("seed=0..3") == ("seed", ["0", "1", "2", "3"])
    text = "mask=random(ratio=0.5),block(ratio=0.5, min_patches=4)"
    assert values_of(text)[1] == ["random(ratio=0.5)", "block(ratio=0.5, min_patches=4)"]
    for bad in ("seed", "seed=", "=1,2", "seed=1,,2"):
        with pytest.raises(BadInput, match="--over"):
            values_of(bad)


def test_the_mean_has_students_interval() -> None:
    found = mean([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.302653, s = 1
    assert found.half == pytest.approx(4.302653 / 3**0.5, abs=1e-6) and found.count == 3
    assert mean([1.0]).half is None
