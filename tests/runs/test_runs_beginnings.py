"""A run may begin at what another one has learnt, and layers may learn at rates of their own."""

from dataclasses import replace

import pytest
import torch

from tests.runs.conftest import Small, Trainers
from workbench.errors import BadInput
from workbench.runs import checkpoints
from workbench.runs.beginning import resolved
from workbench.runs.config import RunConfig, completed
from workbench.runs.launching import configured
from workbench.runs.presets import run_preset
from workbench.runs.rehearsing import measure
from workbench.runs.setting import place, setting
from workbench.runs.store import CHECKPOINTS, Run, RunStore, read_json, write_json
from workbench.runs.trained import INITIAL, load_model
from workbench.runs.training import Trainer, check_same


def encoder_of(run: Run, step: int | str | None = None) -> dict[str, torch.Tensor]:
    parts, model, _ = load_model(run, step)
    found = parts.objective.encoder(model)
    assert found is not None
    return found.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[k], other[k]) for k in one)


def test_a_fine_tuning_run_begins_at_another_and_goes_on_without_it(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    first = store.create(small(steps=3))
    assert trainers.train(first) == 0
    wanted = small(objective="supervised()", steps=4, save_every=2, init=f"run:{first.id[-9:]}")
    config = resolved(
        configured(wanted, {"layer_decay": "0.5", "optimiser": "adamw"}), store.folder
    )
    assert config.init == f"run:{first.id}"
    tuned = store.create(config)
    assert trainers.train(tuned) == 0
    assert same(encoder_of(tuned, INITIAL), encoder_of(first))
    assert not same(encoder_of(tuned), encoder_of(first))
    assert any(f"begins at step 3 of {first.id}" in line for line in tuned.log())

    again = store.create(config)
    assert trainers.train(again) == 0
    (again.path / CHECKPOINTS / "step-00000004.safetensors").unlink()
    again.set_state(state="queued")
    for path in first.path.glob("checkpoints/*"):
        path.unlink()
    assert trainers.train(again) == 0
    assert any("goes on after step 2" in line for line in again.log())
    one, other = (checkpoints.newest(run.path / CHECKPOINTS) for run in (tuned, again))
    assert one is not None and other is not None and one.step == other.step == 4
    assert same(one.tensors, other.tensors)


def test_what_does_not_fit_is_refused_before_it_waits(
    store: RunStore, small: Small, trainers: Trainers
) -> None:
    first = store.create(small(steps=2))
    with pytest.raises(BadInput, match="no checkpoint to begin at"):
        resolved(small(init=f"run:{first.id}"), store.folder)
    with pytest.raises(BadInput, match="no run is called"):
        resolved(small(init="run:nowhere"), store.folder)
    with pytest.raises(BadInput, match="init=run:ID"):
        resolved(run_preset("cifar10_finetune_tiny"), store.folder)
    assert trainers.train(first) == 0
    with pytest.raises(BadInput, match="its dim is 64 and not 32"):
        resolved(small(init=f"run:{first.id}", dim=64), store.folder)
    other = store.create(small(init="default"))
    assert trainers.train(other) == 1
    assert "does not fit that of the run" in other.state()["reason"]
    with pytest.raises(BadInput, match="does not fit that of the run"):
        measure(small(init="default"))


def test_running_averages_begin_with_their_encoder(store: RunStore, small: Small) -> None:
    from workbench.objectives import OBJECTIVES
    from workbench.runs.trained import begin

    config = small(objective="data2vec()", init="run:x")
    parts = setting(config)
    pictures = parts.dataset.load(config.size)
    source = store.create(small(seed=7))
    trainer = Trainer.ready(setting(source.config), pictures, place(source.config))
    trainer.save(source)
    model = parts.build(pictures, torch.device("cpu"))
    objective = OBJECTIVES.parse("data2vec()")
    begin(model, objective, replace(config, init=f"run:{source.id}"), store.folder)
    encoder = objective.encoder(model)
    assert encoder is not None
    found = [m for m in model.modules() if type(m) is type(encoder)]
    assert len(found) == 2 and all(same(m.state_dict(), encoder_of(source)) for m in found)


def test_positions_of_another_encoder_do_not_enter_where_they_are_the_answer(
    store: RunStore, small: Small
) -> None:
    """MP3 asks where patches stand: with a table of places it would be told."""
    from workbench.objectives import OBJECTIVES
    from workbench.runs.trained import begin

    config = small(objective="mp3()", init="run:x")
    parts, source = setting(config), store.create(small(seed=7))
    pictures = parts.dataset.load(config.size)
    Trainer.ready(setting(source.config), pictures, place(source.config)).save(source)
    model = parts.build(pictures, torch.device("cpu"))
    objective = OBJECTIVES.parse("mp3()")
    begin(model, objective, replace(config, init=f"run:{source.id}"), store.folder)
    encoder = objective.encoder(model)
    assert encoder is not None
    mine, theirs = encoder.state_dict(), encoder_of(source)
    assert theirs["pos_embed"].abs().max() > 0.5 and mine.pop("pos_embed").abs().max() == 0
    assert all(torch.equal(value, theirs[key]) for key, value in mine.items())


def test_layers_learn_at_their_rates(small: Small) -> None:
    config = small(objective="supervised()", layer_decay=0.5, depth=2, optimiser="muon", warmup=0)
    parts = setting(config)
    trainer = Trainer.ready(parts, parts.dataset.load(config.size), place(config))
    trainer.make_step()
    rates = {
        id(p): (group["lr"] / rate)
        for part, rate in zip(trainer.optimiser.parts, trainer.optimiser.rates, strict=True)
        for group in part.param_groups
        for p in group["params"]
    }
    told = {name: rates[id(p)] for name, p in trainer.model.named_parameters() if id(p) in rates}
    assert told["head.weight"] == told["encoder.norm.weight"] == 1
    assert told["encoder.blocks.1.attn.qkv.weight"] == told["encoder.blocks.1.norm1.bias"] == 0.5
    assert told["encoder.blocks.0.mlp.fc1.weight"] == 0.25
    assert told["encoder.patch_embed.proj.weight"] == told["encoder.cls_token"] == 0.125
    plain = Trainer.ready(
        setting(replace(config, layer_decay=1.0)), trainer.pictures, trainer.where
    )
    assert [len(part.param_groups) for part in plain.optimiser.parts] == [2, 1]


def test_a_run_of_before_a_knob_was_known_goes_on(store: RunStore, small: Small) -> None:
    run = store.create(small())
    old = {k: v for k, v in run.record.items() if k not in ("init", "layer_decay")}
    write_json(run.path / "config.json", old)
    assert RunConfig.read(read_json(run.path / "config.json")) == small()
    check_same(completed(old), small().record(), run.id)
    check_same(old, small().record(), run.id)
    with pytest.raises(BadInput, match=r"layer_decay was 1\.0 and is 0\.5"):
        check_same(old, small(layer_decay=0.5).record(), run.id)
