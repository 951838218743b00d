"""Two processes that share every batch give the loss curve of one."""

from tests.runs.conftest import Small, Trainers
from workbench.runs.store import RunStore


def test_two_processes_give_the_curve_of_one(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    knobs = {"steps": 6, "save_every": 3, "log_every": 1, "precision": "fp32", "device": "cpu"}
    one, two = store.create(small(**knobs)), store.create(small(**knobs, processes=2))
    assert trainers.train(one) == 0
    assert trainers.train(two) == 0, two.log()
    assert two.state()["state"] == "done" and [step for step, _ in two.checkpoints()] == [3, 6]
    curves = [[row["last"] for row in run.metrics()] for run in (one, two)]
    assert len(curves[0]) == len(curves[1]) == 6
    # Sums in another order: fp32 rounding, not more, after six updates.
    assert max(abs(a - b) / a for a, b in zip(*curves, strict=True)) < 1e-4
