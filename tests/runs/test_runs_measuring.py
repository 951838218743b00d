"""Runs on other data than pictures: resumed to the bit, measured by their own metric."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.objectives.subject import TINY
from workbench.commands.protocols import evaluate_run, standing
from workbench.errors import BadInput
from workbench.runs import checkpoints, measuring
from workbench.runs.config import RunConfig
from workbench.runs.evaluating import evaluate
from workbench.runs.judging import start_judging, usual_protocols
from workbench.runs.measuring import _interval
from workbench.runs.setting import setting
from workbench.runs.store import CHECKPOINTS, Run, RunStore
from workbench.runs.training import train


def run_of(folder: Path, **knobs: object) -> Run:
    told = {**TINY, "steps": 4, "picture_every": 2, "log_every": 1, "save_every": 2, **knobs}
    return RunStore(folder).create(RunConfig(**told))  # pyright: ignore[reportArgumentType]


KINDS = {
    "multimae()": "drawn_modalities(count=10)",
    "videomae()": "drawn_clips(count=10, frames=4)",
    "tera(noisy=1)": "drawn_sounds(count=10)",
    "painter()": "drawn_tasks(count=10)",
}


@pytest.mark.parametrize("objective", KINDS)
def test_a_resumed_run_equals_an_unbroken_one(objective: str, tmp_path: Path) -> None:
    knobs = {"objective": objective, "data": KINDS[objective]}
    if "tera" not in objective:
        knobs |= {"crop": 0.5, "flip": True}
    whole, broken = run_of(tmp_path / "a", **knobs), run_of(tmp_path / "b", **knobs)
    assert train(whole) == "done"
    steps = iter([False, True])
    assert train(broken, should_stop=lambda: next(steps)) == "cancelled"
    assert train(broken) == "done"
    found = [checkpoints.newest(run.path / CHECKPOINTS) for run in (whole, broken)]
    assert found[0] is not None and found[1] is not None and found[0].step == 4
    one, other = (setting(run.config) for run in (whole, broken))
    pictures = one.dataset.load(8)
    models = [each.build(pictures, torch.device("cpu")) for each in (one, other)]
    for model, each in zip(models, found, strict=True):
        checkpoints.restore_model(each, model)
    pairs = zip(models[0].state_dict().items(), models[1].state_dict().items(), strict=True)
    assert all(torch.equal(a, b) for (_, a), (_, b) in pairs)
    sizes = {path.name.partition("-")[0] for _, _, path in whole.pictures()}
    assert sizes and len(whole.pictures()) >= 6


def test_a_metric_is_noted_beside_guesses_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, objective="satvision()", data="drawn_bands(count=10, bands=3)")
    assert train(run) == "done" and usual_protocols(run) == ("metric",)
    rows = [evaluate(run, "metric", step=step) for step in ("initial", None)]
    assert [row["protocol"] for row in rows] == ["metric@initial", "metric"]
    assert run.evaluations()[-1]["value"] == rows[1]["value"] and rows[1]["count"] == 10
    assert list(rows[1]["measures"]) == ["all bands", "band 1", "band 2", "band 3"]
    for row in rows:
        first = row["measures"]["all bands"]
        assert first["low"] < first["value"] < first["high"] and not first["higher"]
        for told in first["beside"].values():
            gap = first["value"] - told["value"]
            assert told["difference"] == pytest.approx(gap, abs=1e-9)
            assert told["difference_low"] < gap < told["difference_high"]
    # units are those of the data, before training too: the same guess is equally good
    guesses = [row["measures"]["all bands"]["beside"]["mean of the data"]["value"] for row in rows]
    assert guesses[0] == pytest.approx(guesses[1], rel=1e-6)
    monkeypatch.setattr(measuring, "ROWS", 3)
    shares: list[float] = []
    again = evaluate(run, "metric", report=shares.append)
    assert again["value"] == pytest.approx(rows[1]["value"], rel=1e-5)
    assert shares == [0, 0, 0.3, 0.6, 0.9, 1]  # so that it can be ended
    evaluate_run(run.id, ["metric"], "", "", "auto", tmp_path, False)
    text = capsys.readouterr().out
    assert "all bands" in text and "mean of what is seen" in text
    assert "all bands" in standing(rows[1]) and "mean of the data" in standing(rows[1])
    evaluate_run(run.id, ["metric"], "", "", "auto", tmp_path, True)
    assert json.loads(capsys.readouterr().out)["evaluations"][0]["higher"] is False
    with pytest.raises(BadInput, match="gives images and labelled"):
        evaluate(run, "metric", data="digits()")
    plain = run_of(tmp_path / "other", objective="mae()", steps=1)
    assert usual_protocols(plain) == ("knn", "linear_probe") and train(plain) == "done"
    with pytest.raises(BadInput, match="no metric of its own"):
        evaluate(plain, "metric")
    unlabelled = run_of(tmp_path / "third", objective="mae()", data="photos()", steps=1)
    assert usual_protocols(unlabelled) == ()
    with pytest.raises(BadInput, match="no classes; name one and labelled"):
        start_judging(unlabelled, usual_protocols(unlabelled))


def test_the_interval_of_a_mean_leaves_rows_without_a_value_out() -> None:
    found = _interval(np.array([1.0, 3.0, np.nan, 5.0, 7.0]))
    half = 1.959963984540054 * np.std([1, 3, 5, 7], ddof=1) / 2
    assert found == {"value": 4, "count": 4, "low": pytest.approx(4 - half),
                     "high": pytest.approx(4 + half)}  # fmt: skip
    with pytest.raises(BadInput, match="no finite number"):
        _interval(np.array([1.0, np.inf]))


def test_single_pictures_alone_are_recoloured() -> None:
    config = RunConfig(objective="croco()", data="drawn_pairs(count=10)", color=1.0)
    with pytest.raises(BadInput, match="color=0"):
        setting(config)
    assert setting(RunConfig(color=1.0)).config.color == 1.0
