"""What objectives refuse in words: widths, schedules of what is built, masks that leave nothing."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tests.objectives.subject import ready
from workbench.errors import BadInput
from workbench.masks import Mask
from workbench.objectives import OBJECTIVES
from workbench.params import knobs
from workbench.runs.config import RunConfig
from workbench.runs.setting import setting
from workbench.runs.store import RunStore
from workbench.runs.training import train

MASKED = [name for name in OBJECTIVES.names() if OBJECTIVES.get(name).masked]


@pytest.mark.parametrize(
    ("recipe", "take"),
    [
        ("mae(decoder_heads=3)", "decoder_dim=120"),
        ("mr_mae(decoder_heads=3)", "decoder_dim=120"),
        ("mae(decoder_dim=10)", "decoder_dim=8"),
        ("mae(decoder_dim=30, decoder_heads=1)", "decoder_dim=28"),
        ("ijepa(predictor_heads=5)", "predictor_dim=80"),
    ],
)
def test_a_width_fits_its_heads_and_the_places(recipe: str, take: str) -> None:
    with pytest.raises(BadInput, match=f"multiple of the heads and of 4; take .* {take}"):
        OBJECTIVES.parse(recipe)


@pytest.mark.parametrize(
    "recipe",
    ["mae(decoder_dim=120, decoder_heads=3)", "mae(decoder_dim=8)", "ijepa(predictor_dim=80, "
     "predictor_heads=5)"],
)  # fmt: skip
def test_a_width_that_is_named_goes(recipe: str) -> None:
    assert np.isfinite(ready(recipe).loss().item())


def test_the_encoder_s_width_fits_too() -> None:
    with pytest.raises(BadInput, match=r"dim is 10 and heads 2.*take for example dim=8\."):
        RunConfig(dim=10, heads=2)
    with pytest.raises(BadInput, match=r"dim is 16 and heads 3.*take for example dim=12\."):
        RunConfig(dim=16, heads=3)


@pytest.mark.parametrize(
    "recipe",
    ["mae(decoder_depth=ramp(1, 4))", "beit(codes=ramp(16, 64))",
     "ijepa(predictor_dim=ramp(8, 96))", 'beit(coded=steps("patches", 0.5, "features"))'],
)  # fmt: skip
def test_what_is_built_once_takes_no_schedule(recipe: str) -> None:
    with pytest.raises(BadInput, match="read once, before the first step; write one value"):
        OBJECTIVES.parse(recipe)


def test_what_a_loss_reads_takes_a_schedule() -> None:
    assert OBJECTIVES.parse("hybrid(relations=ramp(0.0, 1.0))").at(1).relations == 1
    assert OBJECTIVES.parse("hpm(momentum=ramp(0.5, 0.9))").at(0).momentum == 0.5


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_all_that_is_read_when_a_model_is_built_is_fixed(name: str) -> None:
    made = ready(f"{name}()")
    cls, read = type(made.objective), set[str]()
    own = cls.__getattribute__

    def noted(self: Any, attribute: str) -> Any:
        read.add(attribute)
        return own(self, attribute)

    with patch.object(cls, "__getattribute__", noted):
        made.objective.build(made.shape, 0)
        made.objective.prepare(made.model, made.batch.images, 0)
    moving = {k.name for k in knobs(cls) if k.kind in ("int", "float", "bool", "choice")}
    fixed = {k.name for k in knobs(cls) if k.fixed}
    assert read & moving <= fixed


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_that_leaves_nothing_is_refused_or_trains(name: str) -> None:
    made = ready(f"{name}()")
    for hide in (False, True):
        mask = Mask(np.full_like(made.mask.hidden, hide), made.mask.grid)
        kind = "visible" if hide else "hidden"
        if kind in made.objective.must_hold:
            with pytest.raises(BadInput, match=f"{name} needs a {kind} patch.*take a ratio from"):
                made.objective.check(mask)
        elif not (name == "lut" and not hide):  # which refuses on its own what hides less than half
            made.objective.check(mask)
            made.mask = mask
            assert np.isfinite(made.loss().item())


@pytest.mark.parametrize(
    ("objective", "mask", "kind"),
    [
        ("mae()", "random(ratio=ramp(0.0, 0.75))", "hidden"),
        ("mr_mae()", "random(ratio=ramp(0.5, 1.0))", "visible"),
        ("hybrid()", "random(ratio=1.0)", "visible"),
        ("lut()", "random(ratio=1.0)", "visible"),
    ],
)
def test_a_run_ends_with_that_sentence(objective: str, mask: str, kind: str, tmp_path) -> None:
    config = RunConfig(
        objective=objective, mask=mask, size=8, patch=2, dim=32, depth=2, heads=2, batch=16,
        steps=2, warmup=0, threads=1, picture_every=1, device="cpu", precision="fp32",
    )  # fmt: skip
    setting(config)
    run = RunStore(tmp_path).create(config)
    with pytest.raises(BadInput, match=rf"needs a {kind} patch.*ratio from 0.062 to 0.94"):
        train(run)


def test_shared_batches_refuse_units_that_are_cut_unequally() -> None:
    shared = {"size": 16, "patch": 2, "processes": 2, "objective": "mae()"}
    with pytest.raises(BadInput, match=r"cuts its units at the edge of 8 x 8.*processes=1"):
        setting(RunConfig(**shared, mask="units(ratio=0.5, unit=3)"))
    setting(RunConfig(**shared, mask="units(ratio=0.5, unit=2)"))
    setting(RunConfig(**{**shared, "processes": 1}, mask="units(ratio=0.5, unit=3)"))
