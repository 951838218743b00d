"""The form of a new run: menus with reasons, links that restore it, and the measured card."""

import shlex
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import engine_form, train_form
from app.preflights import Preflights
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.objectives import OBJECTIVES
from workbench.runs import spelling
from workbench.runs.config import RunConfig
from workbench.runs.engines.ray import Ray
from workbench.runs.engines.slurm import Slurm
from workbench.runs.launching import configured
from workbench.runs.presets import GROUPS, run_presets, sized_for
from workbench.runs.rehearsing import preflight
from workbench.runs.sweeping import foreseen

VIEWS = Path(__file__).parents[1] / "app" / "views"


def options(menu: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Text and reason by value."""
    return {value: (text, reason) for _, each in menu["groups"] for value, text, reason in each}


def silent(knob: str, sentence: str) -> None:
    raise AssertionError(f"{knob}: {sentence}")


def test_every_preset_is_in_the_menu_once() -> None:
    menu = train_form.preset_menu(configured("cifar10_mae_tiny", {}))
    offered = [value for _, each in menu["groups"] for value, _, _ in each]
    assert sorted(offered) == sorted(run_presets())
    assert [words for words, _ in menu["groups"]] == list(GROUPS.values())
    groups = {name: sized_for(config) for name, config in run_presets().items()}
    assert groups["digits_mae_tiny"] == "seconds" and groups["cifar10_mae_hour"] == "hour"
    assert {groups[name] for name in groups if name.startswith("cifar10_")} == {"tiny", "hour"}
    assert "4,000 steps of 128" in menu["about"] and "ten minutes" in menu["about"]


@pytest.mark.parametrize("name", ["mae", "mfm", "simclr", "simmim"])
def test_the_menu_says_why_a_mask_cannot_be_taken(name: str) -> None:
    preset = next(iter(OBJECTIVES.get(name).presets))
    config = configured(preset, {})
    found = options(train_form.mask_menu(config))
    objective = OBJECTIVES.parse(config.objective)
    for mask in MASKS.names():
        chosen = config.mask if config.mask.startswith(f"{mask}(") else f"{mask}()"
        assert found[mask][1] == (objective.refuses(MASKS.parse(chosen)) or "")
    assert ("nothing" in found) == (not objective.masked)


def test_a_mask_that_leaves_nothing_is_told_at_once() -> None:
    assert foreseen(list(run_presets().values())) == {}
    for ratio, words in ((0.9, "hides all 16 patches"), (0.1, "hides none of 16 patches")):
        config = configured("digits_mae_tiny", {"mask": f"units(ratio={ratio})"})
        told = train_form.mask_menu(config)["problem"]
        assert told.startswith(f"units(ratio={ratio}) {words}") and told.endswith(".")
    assert train_form.mask_menu(configured("digits_mae_tiny", {}))["problem"] == ""


def test_data_without_classes_cannot_be_taken_by_what_needs_them() -> None:
    found = options(train_form.data_menu(configured("cifar10_supervised_tiny", {})))
    assert found["drawn"][1] == "gives images, no labelled" and found["digits"][1] == ""


@pytest.mark.parametrize(
    ("preset", "changed"),
    [
        ("digits_mae_tiny", {}),
        ("cifar10_mae_tiny", {"steps": 20, "name": "<b>; rm -rf ~ 'x' \"y\" 🦊"}),
        ("cifar10_mae_tiny", {"data": 'cifar10(path="/a b/c=d&e")', "mask": "block(ratio=0.5)"}),
        ("digits_mae_tiny", {"dim": 48, "heads": 6, "mask": "random(ratio=ramp(0.5, 0.9))"}),
    ],
)
def test_a_link_restores_the_form(preset: str, changed: dict[str, Any]) -> None:
    config = configured(preset, changed)
    assert train_form.linked(spelling.query(*spelling.spelled(config))) == (config, [])


def test_an_engine_is_offered_only_where_its_package_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Ray, "installed", lambda: False)
    monkeypatch.setattr(Slurm, "package", "no_such_package")
    assert engine_form.engine_menu("") is None
    monkeypatch.setattr(Slurm, "package", "json")
    monkeypatch.setenv("PATH", str(tmp_path))
    menu = engine_form.engine_menu("")
    assert menu is not None and menu["value"] == "here"
    assert "no Slurm on this machine" in options(menu)["slurm"][1]
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    menu = engine_form.engine_menu("slurm(gpus=1)")
    assert menu is not None and menu["value"] == "slurm" and options(menu)["slurm"][1] == ""


def test_ray_is_offered_where_a_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slurm, "package", "no_such_package")
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    menu = engine_form.engine_menu("")
    assert menu is not None and list(options(menu)) == ["here", "ray"]
    assert options(menu)["ray"][1] == "" and engine_form.chosen("ray") == "ray()"


def test_an_engine_s_knobs_are_edited_and_spelled() -> None:
    engine = engine_form.chosen("slurm")
    engine = engine_form.edited(engine, {"partition": "gpu", "minutes": 30.0}, silent)
    assert engine == 'slurm(partition="gpu", minutes=30)' == engine_form.linked(engine)[0]
    assert {row["name"]: row["value"] for row in engine_form.engine_rows(engine, {})}["gpus"] == 0
    wrong: dict[str, str] = {}
    assert engine_form.edited(engine, {"minutes": 0}, wrong.__setitem__) == engine
    assert "minutes" in wrong and engine_form.chosen("here") == ""
    assert engine_form.linked("swarm()")[0] == "" and "slurm" in engine_form.linked("swarm()")[1]
    words = shlex.split(spelling.command("digits_mae_tiny", {"steps": 20}, engine))
    called = ["python", "-m", "workbench", "train", "digits_mae_tiny"]
    assert words == [*called, "steps=20", "--engine", engine]
    called: dict[str, Any] = {}
    lines = spelling.python("digits_mae_tiny", {}, engine).splitlines()
    exec("\n".join(lines[2:-1]), {"runs": SimpleNamespace(launch=lambda *a, **k: called.update(k))})
    assert called == {"engine": engine}


def test_a_bad_field_of_a_link_leaves_the_others() -> None:
    found, wrong = train_form.linked(
        {"preset": "digits_mae_tiny", "steps": "many", "batch": "32", "nonsense": "1"}
    )
    assert (found.batch, found.steps) == (32, 400)
    assert len(wrong) == 2 and "many" in wrong[0] and "nonsense" in wrong[1]
    assert train_form.linked({"preset": "nope"})[0] == configured("digits_mae_tiny", {})


def test_another_preset_keeps_name_seed_machine_and_the_folder_of_its_data() -> None:
    own = {"name": "mine", "seed": 5, "device": "cpu", "data": 'cifar10(path="/here")'}
    config = configured("cifar10_mae_tiny", own)
    other = train_form.chosen(config, "preset", "cifar10_simmim_tiny")
    assert other == configured("cifar10_simmim_tiny", own)
    assert train_form.chosen(other, "preset", "digits_mae_tiny").data == "digits()"


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_objective_can_be_chosen_from_every_start(name: str) -> None:
    for preset in ("digits_mae_tiny", "cifar10_simclr_tiny"):
        config = train_form.chosen(configured(preset, {"seed": 9}), "objective", name)
        assert config.objective.partition("(")[0] == name and config.seed == 9
        assert config == configured(config, {})


def test_a_mask_keeps_its_ratio_and_a_refused_one_changes_nothing() -> None:
    config = configured("digits_mae_tiny", {"mask": "random(ratio=0.6)"})
    assert train_form.chosen(config, "mask", "block").mask == "block(ratio=0.6)"
    with pytest.raises(BadInput, match="another number of patches"):
        train_form.chosen(config, "mask", "band")


def test_knobs_that_belong_together_are_taken_together() -> None:
    config = configured("digits_mae_tiny", {})
    edited = train_form.run_edited(config, {"dim": 48, "heads": 6, "steps": 30.0}, silent)
    assert (edited.dim, edited.heads, edited.steps) == (48, 6, 30)
    wrong: dict[str, str] = {}
    edited = train_form.run_edited(config, {"dim": 50, "steps": 30}, wrong.__setitem__)
    assert edited.steps == 30 and edited.dim == 64 and "heads" in wrong["dim"]
    rows = [row["name"] for main in (True, False) for row in train_form.run_rows(config, {}, main)]
    whole = set(RunConfig.__dataclass_fields__) - {"objective", "mask", "data", "preset", "group"}
    assert sorted(rows) == sorted(whole)


def test_a_recipe_s_knob_is_edited_and_refused() -> None:
    config = configured("digits_mae_tiny", {})
    edited = train_form.recipe_edited(config, "objective", {"decoder_dim": 32}, silent)
    assert edited.objective == "mae(decoder_dim=32, decoder_depth=1)"
    wrong: dict[str, str] = {}
    kept = train_form.recipe_edited(config, "mask", {"ratio": 1.5}, wrong.__setitem__)
    assert kept == config and "1.5" in wrong["ratio"]


def test_the_view_restores_a_link_and_tells_what_is_wrong(workbench_home: Path) -> None:
    page = AppTest.from_file(VIEWS / "train.py", default_timeout=120)
    page.query_params["preset"] = "digits_mae_tiny"
    page.query_params["steps"] = "77"
    page.query_params["heads"] = "7"
    page = page.run()
    assert not page.exception
    assert page.session_state["new-run"].steps == 77
    assert "the width must be a multiple of the heads" in page.error[0].value


def until(true: Any) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_check_is_cancelled_and_refusals_are_sentences(
    workbench_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, seen = threading.Event(), list[RunConfig]()

    def slow(config: RunConfig, should_stop: Any) -> dict[str, Any]:
        seen.append(config)
        began.set()
        until(should_stop)
        raise InterruptedError

    monkeypatch.setattr("app.preflights.preflight", slow)
    checks, config = Preflights(), RunConfig()
    first, second = checks.start(config), checks.start(config)
    assert began.wait(60)
    assert sorted(checks.report(mark)["state"] for mark in (first, second)) == [
        "running", "waiting"
    ]  # fmt: skip
    for mark in (first, second):
        checks.stop(mark)
    until(lambda: all(checks.report(m)["state"] == "cancelled" for m in (first, second)))
    assert len(seen) == 1 and checks.report("guess") is None

    def refused(config: RunConfig, should_stop: Any) -> dict[str, Any]:
        raise BadInput("the data is not there; name its folder")

    monkeypatch.setattr("app.preflights.preflight", refused)
    mark = checks.start(config)
    until(lambda: checks.report(mark)["state"] == "failed")
    assert checks.report(mark)["problem"] == "The data is not there; name its folder."


def test_a_preflight_that_is_stopped_leaves_nothing(workbench_home: Path) -> None:
    config, asked = configured("digits_mae_tiny", {}), []
    with pytest.raises(InterruptedError):
        preflight(config, should_stop=lambda: bool(asked) or asked.append(1) or False)
    assert [path.name for path in (workbench_home / "runs").glob(".preflight-*")] == []
