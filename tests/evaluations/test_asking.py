"""Every protocol asks while it works, so that it can be ended; asking changes no number."""

import numpy as np
import pytest
import torch

from workbench.data.sets import Pictures
from workbench.evaluations import EVALUATIONS
from workbench.evaluations import knn as neighbours
from workbench.evaluations.subject import ROWS, Subject

COUNT, TESTED, SIDE = 60, 40, 8


class Ended(Exception):
    """What a report raises to end the work."""


def pictures(seed: int, count: int) -> Pictures:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    noise = rng.integers(0, 120, (count, SIDE, SIDE, 3))
    return Pictures(
        (noise + 60 * labels[:, None, None, None]).astype(np.uint8), labels, ("a", "b", "c")
    )


def subject() -> Subject:
    torch.manual_seed(0)
    model = torch.nn.Linear(3 * SIDE * SIDE, 24)
    return Subject(
        model, lambda of: of, lambda of, x: of(x.flatten(1)),
        pictures(0, COUNT), pictures(1, TESTED), SIDE, torch.device("cpu"),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "cpu", 10)
    monkeypatch.setattr(neighbours, "ROWS", 10)


@pytest.mark.parametrize("name", EVALUATIONS.names())
def test_a_protocol_asks_all_along_and_says_the_same(name: str) -> None:
    protocol, shares = EVALUATIONS.parse(name), list[float]()
    if protocol.tunes:
        protocol = EVALUATIONS.parse(f"{name}(steps=8, batch=12)")
    ready = subject()
    ready.prepare(lambda share: None)
    asked = protocol.judge(ready, shares.append)
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] <= 1
    assert np.diff([*shares, 1.0]).max() < 0.3  # no long way without a question
    assert protocol.judge(subject()) == asked

    def end(share: float) -> None:
        if share > 0.5:
            raise Ended

    with pytest.raises(Ended):
        protocol.judge(ready, end)
