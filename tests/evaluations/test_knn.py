"""Nearest neighbours against a count by hand, at every temperature and in every chunk size."""

import numpy as np
import pytest

from workbench.evaluations import Features, knn
from workbench.evaluations.knn import Knn

CLASSES = 4


def clouds(seed: int, count: int = 120) -> Features:
    """Classes that overlap, so that votes decide."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    values = np.eye(CLASSES, 8)[labels] + rng.normal(0, 0.6, (count, 8))
    return Features(values.astype(np.float32), labels)


def by_hand(train: Features, test: Features, k: int, temperature: float) -> float:
    bank, asked = (
        each.values.astype(np.float64) / np.linalg.norm(each.values, axis=1, keepdims=True)
        for each in (train, test)
    )
    right = 0
    for row, label in zip(asked, test.labels, strict=True):
        likeness = bank @ row
        near = np.argsort(-likeness)[:k]
        share = np.exp((likeness[near] - likeness[near].max()) / temperature)
        right += int(np.argmax(np.bincount(train.labels[near], share, CLASSES)) == label)
    return right / len(test.labels)


@pytest.mark.parametrize("temperature", [0.001, 0.01, 0.07, 1.0, 100.0])
def test_votes_are_the_formula_at_every_temperature(temperature: float) -> None:
    train, test = clouds(0), clouds(1)
    found = Knn(k=20, temperature=temperature).score(train, test, CLASSES).accuracy
    assert found == pytest.approx(by_hand(train, test, 20, temperature), abs=1e-9)
    assert 0.4 < found < 0.99


@pytest.mark.parametrize("temperature", [0.001, 0.07])
def test_one_neighbour_among_the_asked_themselves_is_always_right(temperature: float) -> None:
    rng = np.random.default_rng(0)
    noise = Features(rng.normal(size=(300, 8)).astype(np.float32), rng.integers(0, CLASSES, 300))
    assert Knn(k=1, temperature=temperature).score(noise, noise, CLASSES).accuracy == 1


def test_the_answer_does_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = clouds(0), clouds(1)
    whole = Knn(k=10).score(train, test, CLASSES)
    for rows in (1, 7, 119):
        monkeypatch.setattr(knn, "ROWS", rows)
        assert Knn(k=10).score(train, test, CLASSES) == whole
