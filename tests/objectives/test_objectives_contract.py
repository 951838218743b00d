"""What every objective must do, asked of each that is there."""

import copy
import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.objectives.subject import TINY, Ready, changed, data_for, ready
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.models.averages import frozen_copy
from workbench.objectives import OBJECTIVES
from workbench.runs.config import RunConfig
from workbench.runs.networks import NO_BEGINNING
from workbench.runs.setting import setting
from workbench.runs.store import Run, RunStore
from workbench.runs.trained import begin
from workbench.runs.training import train

EVERY = OBJECTIVES.names()
STEPS, RATE, FALLS_TO = 30, 3e-3, 0.8


@cache
def fresh(name: str) -> Ready:
    """Built once; whoever changes the model works on a copy."""
    return ready(f"{name}()")


def own_copy(name: str) -> Ready:
    made = copy.copy(fresh(name))
    made.model = copy.deepcopy(made.model)
    return made


@pytest.mark.parametrize("name", EVERY)
def test_states_what_it_is(name: str) -> None:
    member = OBJECTIVES.get(name)
    assert member.paper and member.__doc__ and len(member.presets) >= 2
    for preset in member.presets.values():
        assert setting(RunConfig(**{"objective": f"{name}()", **preset})).objective.name == name


@pytest.mark.parametrize("name", EVERY)
def test_the_loss_is_a_number_and_its_gradient_reaches_what_is_trained_and_no_more(
    name: str,
) -> None:
    made = own_copy(name)
    before = {k: v.clone() for k, v in made.model.named_parameters() if not v.requires_grad}
    total = made.loss()
    assert total.shape == () and torch.isfinite(total)
    total.backward()
    found = {k: p.grad for k, p in made.model.named_parameters()}
    assert [k for k, gradient in found.items() if gradient is None] == list(before)
    trained = [gradient for gradient in found.values() if gradient is not None]
    assert all(torch.isfinite(each).all() for each in trained)
    assert any(each.abs().sum() > 0 for each in trained)
    for key, parameter in made.model.named_parameters():
        assert key not in before or torch.equal(parameter, before[key])


@pytest.mark.parametrize("name", EVERY)
def test_eight_pictures_are_learnt_by_heart(name: str) -> None:
    made = own_copy(name)
    trained = [p for p in made.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, betas=(0.9, 0.95), weight_decay=0)
    losses = []
    for _ in range(STEPS):
        loss = made.parts()
        losses.append(float(loss.total.detach()) - float(loss.parts.get("floor", 0)))
        loss.total.backward()
        optimiser.step()
        optimiser.zero_grad()
        made.objective.after_step(made.model, 0.5)
    assert np.mean(losses[-5:]) < FALLS_TO * losses[0], f"{losses[0]} to {losses[-1]}"


@pytest.mark.parametrize("name", EVERY)
def test_nothing_hidden_leaks_into_what_is_said(name: str) -> None:
    made = fresh(name)
    if made.objective.predictions.__func__ is OBJECTIVES.base.predictions:
        assert "leak" in (made.objective.__doc__ or "") or not made.objective.masked
        return
    made.model.eval()
    other = changed(made.batch, made.mask, made.objective)
    assert not torch.equal(other.images, made.batch.images) or "depth" in other.extra
    with torch.no_grad():
        said = [made.objective.predictions(made.model, b, made.mask) for b in (made.batch, other)]
    made.model.train()
    assert said[0] is not None and torch.equal(said[0], said[1])


@pytest.mark.parametrize("name", EVERY)
def test_all_state_is_in_the_state_dict(name: str) -> None:
    made, other = own_copy(name), own_copy(name)
    made.loss().backward()
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    made.objective.after_step(made.model, 0.5)
    other.model.load_state_dict(made.model.state_dict())
    assert torch.equal(made.loss(), other.loss())


@pytest.mark.parametrize("name", EVERY)
def test_teachers_follow_the_student_or_stand_still(name: str) -> None:
    made = own_copy(name)
    if hasattr(made.model, "followed"):  # steps: a teacher that is quick at first has settled
        made.model.followed += 100_000
    learnt = frozen_copy(made.model)
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.requires_grad:
                parameter += 0.1
    made.objective.after_step(made.model, 0.5)
    for (key, old), new in zip(learnt.named_parameters(), made.model.parameters(), strict=True):
        step = (new - old).abs().max()
        assert step < 0.01 if not new.requires_grad else step > 0, key


@pytest.mark.parametrize("name", EVERY)
def test_it_trains_through_the_common_loop_and_gives_features(name: str, tmp_path: Path) -> None:
    objective = OBJECTIVES.parse(f"{name}()")
    knobs = {**TINY, "objective": str(objective), "data": data_for(objective), "steps": 3,
             "picture_every": 3, "log_every": 1, "save_every": 3}  # fmt: skip
    run = RunStore(tmp_path).create(RunConfig(**knobs))
    assert train(run) == "done"
    assert [row["step"] for row in run.metrics()] == [1, 2, 3]
    made = fresh(name)
    made.model.eval()
    with torch.no_grad():
        found = made.objective.features(made.model, made.batch.images)
    made.model.train()
    assert len(found) == len(made.batch) and found.ndim == 2 and torch.isfinite(found).all()
    assert begins_one_with_labels(run) == (name not in NO_BEGINNING)


def begins_one_with_labels(run: Run) -> bool:
    """Whether the encoder that a run keeps can be that of a new run that learns labels."""
    new = own_copy("supervised")
    told = dataclasses.replace(new.config, init=f"run:{run.id}")
    try:
        return begin(new.model, new.objective, told, run.path.parent) != ""
    except BadInput as refusal:
        assert "does not fit" in str(refusal) or "no encoder" in str(refusal)
        return False


@pytest.mark.parametrize("name", EVERY)
def test_a_mask_fits_or_the_reason_is_said(name: str) -> None:
    objective = OBJECTIVES.parse(f"{name}()")
    for recipe in MASKS.names():
        reason = objective.refuses(MASKS.parse(recipe))
        assert reason is None or ((recipe in reason or name in reason) and len(reason) > 20)
    if objective.masked:
        assert objective.refuses(MASKS.parse(objective.default_mask)) is None
