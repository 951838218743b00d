"""DiffROAR: what is kept, what the table says of known runs, and the commands with real runs."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from workbench.cli import run
from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.runs.retraining import table


def write(path, data, ranks):
    arrays = {"mean": np.full(3, 7, np.uint8), "classes": np.array(data.classes)}
    for part in ("train", "test"):
        arrays |= {f"images_{part}": data.images, f"labels_{part}": data.labels}
        arrays[f"ranks_{part}"] = ranks
    np.savez(path, **arrays)


def test_an_oracle_keeps_all_that_tells_on_top_and_nothing_below(tmp_path):
    data = DATASETS.parse("block_digits(null=False)").load(16, train=False).rows(slice(0, 40))
    flat = (~data.extra["signal"]).reshape(40, -1).argsort(1, kind="stable")
    ranks = flat.argsort(1, kind="stable").reshape(40, 16, 16).astype(np.uint32)
    path = tmp_path / "oracle.npz"
    write(path, data, ranks)

    def kept(keep, share):
        return DATASETS.parse(f"kept(path={str(path)!r}, keep={keep!r}, share={share})").load(16)

    top, bottom = kept("top", 0.25), kept("bottom", 0.75)
    signal = data.extra["signal"]
    np.testing.assert_array_equal(top.images[signal], data.images[signal])
    assert (top.images[~signal] == 7).all() and (bottom.images[signal] == 7).all()
    assert not bottom.images[~signal].any(), "nothing is left that differs between classes"
    np.testing.assert_array_equal(kept("all", 0.25).images, data.images)
    np.testing.assert_array_equal(top.labels, data.labels)
    for share in (0.1, 0.5):
        gone = (kept("top", share).images == 7).all(-1).reshape(40, -1).sum(1)
        assert (gone == 256 - int(share * 256 + 0.5)).all()
    with pytest.raises(BadInput, match="wanted top, bottom or all"):
        kept("middle", 0.5)
    with pytest.raises(BadInput, match="set size to that"):
        DATASETS.parse(f"kept(path={str(path)!r})").load(8)
    with pytest.raises(BadInput, match="retrain start RUN"):
        DATASETS.parse("kept(path='nowhere.npz')").load(16)


def test_the_table_is_that_of_paired_differences():
    measured = {"top": (0.9, 0.8, 0.85), "bottom": (0.5, 0.6, 0.4)}
    runs = [
        SimpleNamespace(
            record={"data": f"kept(path='x/saliency.npz', keep={keep!r}, share=0.3)"},
            evaluations=lambda value=value: [{"protocol": "metric", "value": value}],
            config=SimpleNamespace(seed=seed),
        )
        for keep, values in measured.items()
        for seed, value in enumerate(values)
    ]
    [row] = table(runs)
    assert (row["method"], row["share"], row["seeds"]) == ("saliency", 0.3, 3)
    assert row["top"] == pytest.approx(0.85) and row["diff"] == pytest.approx(0.35)
    low, high = ttest_rel(*measured.values()).confidence_interval(0.95)
    assert (row["diff"] - row["half"], row["diff"] + row["half"]) == pytest.approx((low, high))
    [alone] = table([runs[0], runs[3]])
    assert alone["seeds"] == 1 and np.isnan(alone["half"])


def test_the_commands_rank_queue_train_and_tell(capsys):
    words = "train cifar10_supervised_tiny data=block_digits() size=16 patch=4 dim=24 depth=1"
    words += " heads=2 batch=16 steps=12 warmup=2 crop=1 flip=False --wait --json"
    assert run(words.split()) == 0
    name = json.loads(capsys.readouterr().out)["id"]
    start = ["retrain", "start", name, "--methods", "centre", "--seeds", "1", "--most", "30"]
    assert run([*start, "--shares", "0.4", "--wait", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["runs"]) == 2 and told["run"] == name
    [lies] = told["maps"]
    assert lies["on_null"] == pytest.approx(lies["on_signal"]), "the centre cannot tell them apart"
    assert run(["retrain", "show", told["name"], "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert row["method"] == "centre" and row["seeds"] == 1
    assert row["diff"] == pytest.approx(row["top"] - row["bottom"])
    assert 0 <= row["bottom"] <= 1 and row["share"] == 0.4
    assert run([*start[:3], "--shares", "a half"]) == 2
    assert "wanted numbers" in capsys.readouterr().err
