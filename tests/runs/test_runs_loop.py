"""The loop: same seed, same run; resumed equals unbroken; what it refuses; to the bit on a CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench.errors import BadInput
from workbench.runs import checkpoints
from workbench.runs.config import RunConfig
from workbench.runs.presets import run_preset, run_presets
from workbench.runs.setting import place, setting
from workbench.runs.store import CHECKPOINTS, Run, RunStore
from workbench.runs.training import Trainer, train

STEPS = 9
Small = Callable[..., RunConfig]


def weights(run: Run) -> dict[str, torch.Tensor]:
    found = checkpoints.newest(run.path / CHECKPOINTS)
    assert found is not None and found.step == STEPS
    return found.tensors


def curve(run: Run) -> list[tuple[int, float, float]]:
    return [(row["step"], row["loss"], row["last"]) for row in run.metrics()]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_resumed_run_equals_an_unbroken_one_to_the_bit(
    store: RunStore, small: Small, precision: str, optimiser: str
) -> None:
    config = small(precision=precision, optimiser=optimiser, color=0.5)
    whole, broken = store.create(config), store.create(config)
    assert train(whole) == "done"
    left = 5  # not where a checkpoint or a line of metrics is due
    calls = iter(range(1, STEPS + 1))
    assert train(broken, should_stop=lambda: next(calls) >= left) == "cancelled"
    assert broken.state()["state"] == "cancelled" and broken.state()["step"] == left
    assert train(broken) == "done"
    one, other = weights(whole), weights(broken)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert curve(whole) == curve(broken)


def test_a_mask_s_maps_are_drawn_in_the_run_s_precision(store: RunStore, small: Small) -> None:
    asked: list[bool] = []

    def drawn(objective: str, mask: str, precision: str) -> np.ndarray:
        config = small(objective=objective, mask=mask, precision=precision)
        parts = setting(config)
        pictures = parts.dataset.load(config.size, train=True)
        trainer = Trainer.ready(parts, pictures, place(config))
        kind, found = type(parts.objective), []
        maps, loss = kind.maps, kind.loss

        def told(*args: Any) -> Any:
            asked.append(torch.is_autocast_enabled("cpu"))
            return maps(*args)

        def seen(own: Any, model: Any, batch: Any, mask: Any, *rest: Any) -> Any:
            found.append(mask.hidden)
            return loss(own, model, batch, mask, *rest)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kind, "maps", told)
            patch.setattr(kind, "loss", seen)
            trainer.losses(trainer.feed.batch(0), 0).total.backward()
        return found[0]

    for objective in ("maskalign()", "hpm()"):
        drawn(objective, "", "bf16")
    assert asked == [True, True]
    for mask in ("random(ratio=0.5)", "block(ratio=0.5)", 'guided(scores="edges()")'):
        one, other = (drawn("simmim()", mask, each) for each in ("fp32", "bf16"))
        assert np.array_equal(one, other), mask


def test_another_seed_is_another_run_and_the_loss_falls(store: RunStore, small: Small) -> None:
    runs = [store.create(small(seed=seed, steps=60, lr=3e-3, log_every=10)) for seed in (0, 1)]
    for run in runs:
        train(run)
    curves = [curve(run) for run in runs]
    assert curves[0] != curves[1]
    assert all(found[-1][1] < found[0][1] for found in curves)


@pytest.mark.parametrize(
    ("mask", "hidden", "told"),
    [
        ("random(ratio=0.9)", "14 of 16", ""),  # floor(0.9 * 16 + 0.5)
        ("units(ratio=0.9)", "16 of 16", "hides all 16 patches"),  # 4 of 4 units of 2 x 2
    ],
)
def test_a_mask_that_leaves_nothing_to_learn_is_told(
    store: RunStore, small: Small, capsys: pytest.CaptureFixture[str],
    mask: str, hidden: str, told: str,
) -> None:  # fmt: skip
    run = store.create(small(mask=mask, steps=1))
    train(run)
    assert f"under {mask}, {hidden} patches hidden" in capsys.readouterr().out
    said = [each["sentence"] for each in run.alerts() if each["kind"] == "mask"]
    assert [told in each for each in said] == ([True] if told else [])
    with pytest.raises(BadInput, match="hides none of 16 patches; take a larger ratio"):
        train(store.create(small(mask="random(ratio=0.01)")))


def test_a_changed_configuration_is_refused(store: RunStore, small: Small) -> None:
    run = store.create(small())
    calls = iter(range(100))
    train(run, should_stop=lambda: next(calls) >= 3)
    text = (run.path / "config.json").read_text()
    (run.path / "config.json").write_text(text.replace('"lr": 0.001', '"lr": 0.002'))
    with pytest.raises(BadInput, match=r"lr was 0\.001 and is 0\.002"):
        train(run)
    (run.path / "config.json").write_text(text.replace('"save_every": 4', '"save_every": 3'))
    assert train(run) == "done"


@pytest.mark.parametrize("name", list(run_presets()))
def test_every_preset_reads_back_from_json(name: str, store: RunStore) -> None:
    run = store.create(run_preset(name))
    assert run.config == run_preset(name)
    assert isinstance(run.path, Path) and run.id.startswith(name[:20])
