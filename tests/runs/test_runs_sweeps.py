"""A sweep as one thing: standing, cancel, resume, names; nothing is trained here."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.compare_routes import COMPARE_ROUTES
from app.sweep_rows import plan, row
from workbench.cli import run as run_command
from workbench.errors import BadInput
from workbench.runs import sweeps
from workbench.runs.identity import me
from workbench.runs.locking import Lock
from workbench.runs.queue import Queue
from workbench.runs.standings import standing
from workbench.runs.store import STOP, RunStore, write_json
from workbench.runs.sweeping import planned, read_over, sweep, values_of
from workbench.runs.sweeps import FILE, LOCK, QUEUED, Sweep, SweepStore

OVER = {"mask": ["random", "block"], "ratio": ["0.5", "0.75"]}


@pytest.fixture
def paused(store: RunStore) -> RunStore:
    """A folder of runs whose queue starts nothing."""
    Queue(store.folder).set(paused=1)
    return store


def made(store: RunStore, name: str = "mine", **more: Any) -> Sweep:
    return sweep("digits_mae_tiny", OVER, dir=store.folder, name=name, **more)


def states(found: Sweep) -> list[str]:
    return [run.state()["state"] for run in found.runs()]


def test_a_sweep_has_a_name_a_folder_and_runs_that_are_measured(paused: RunStore) -> None:
    found = made(paused, "masks; rm -rf <b>☂", overrides={"steps": "20"})
    assert found.path.parent == paused.folder / "_sweeps" and len(found) == 4
    configs = [run.config for run in found]
    assert [config.mask for config in configs] == [
        "random(ratio=0.5)", "random(ratio=0.75)", "block(ratio=0.5)", "block(ratio=0.75)",
    ]  # fmt: skip
    assert {config.evaluate for config in configs} == {"linear_probe"}
    assert {config.group for config in configs} == {"masks; rm -rf <b>☂"}
    again = SweepStore(paused.folder).get("rm -rf")
    assert again == found and again.record["over"] == OVER
    assert row(found)["over"] == ["mask: random, block", "ratio: 0.5, 0.75"]
    assert set(paused.ids()) == {run.id for run in found}  # its folder is no run
    with pytest.raises(BadInput, match="there is a sweep called"):
        made(paused, "masks; rm -rf <b>☂")
    assert len(paused.ids()) == 4  # refused before anything was queued
    with pytest.raises(BadInput, match="no single sweep"):
        SweepStore(paused.folder).get("nowhere")


def test_unlabelled_data_and_a_wish_of_ones_own_decide_the_protocol(paused: RunStore) -> None:
    for shared, wanted in (
        ({"data": "photos(crops=10)", "size": "32", "patch": "8"}, ""),
        ({"evaluate": "knn(k=5);linear_probe"}, "knn(k=5);linear_probe()"),
        ({"evaluate": ""}, ""),
    ):
        found = made(paused, overrides=shared, name=f"{shared}")
        assert {run.config.evaluate for run in found} == {wanted}
    with pytest.raises(BadInput, match="no classes to tell apart"):
        made(paused, "x", overrides={"data": "photos()", "size": "32", "evaluate": "knn"})


def test_cancel_and_resume_are_of_the_whole(paused: RunStore) -> None:
    found = made(paused)
    assert found.standing()["state"] == "paused" and found.standing()["counts"] == {"queued": 4}
    runs = found.runs()
    runs[0].set_state(state="done", step=400)
    runs[1].set_state(state="failed", reason="out of memory")
    Queue(paused.folder).remove(runs[0].id)
    Queue(paused.folder).remove(runs[1].id)
    assert row(found)["failed"] == [runs[1].id] and row(found)["resumable"]
    assert found.cancel() == 2
    assert states(found) == ["done", "failed", "cancelled", "cancelled"]
    assert found.standing()["state"] == "ended" and Queue(paused.folder).jobs() == []
    assert found.resume() == (3, [])
    assert states(found) == ["done", "queued", "queued", "queued"]
    assert len(Queue(paused.folder).jobs()) == 3
    assert found.resume() == (0, [])


def test_a_sweep_is_deleted_with_its_runs_once_none_is_left(workbench_home: Any) -> None:
    store = RunStore()
    Queue(store.folder).set(paused=1)
    mine, other = made(store), made(store, "other")
    with pytest.raises(BadInput, match="4 runs of 'mine' wait or go on"):
        mine.delete()
    ask = TestClient(Starlette(routes=COMPARE_ROUTES), base_url="http://127.0.0.1")
    address, ours = f"/api/sweeps/{mine.id}/delete", {"x-workbench": "runs"}
    assert ask.post(address, json={"confirm": mine.id}, headers=ours).status_code == 422
    mine.cancel()
    assert ask.post(address, json={}, headers=ours).status_code == 422
    assert ask.post(address, json={"confirm": mine.id}, headers=ours).json() == {"deleted": 4}
    assert not mine.path.exists() and [each.id for each in SweepStore()] == [other.id]
    assert sorted(store.ids()) == sorted(other.queued().values())
    assert made(store).name == "mine"  # the name is free again


def test_an_engine_of_a_form_is_checked_and_said(workbench_home: Any) -> None:
    form = {"preset": "digits_mae_tiny", "over": ["seed=0..1"], "engine": "slurm(gpus=1)"}
    found = plan(form)
    assert found["count"] == 2 and found["command"].endswith("--engine 'slurm(gpus=1)'")
    assert "no known engine" in plan({**form, "engine": "swarm()"})["problem"]


def test_a_sweep_whose_launcher_was_killed_is_completed_by_resume(paused: RunStore) -> None:
    found = made(paused)
    noted = (found.path / QUEUED).read_text().splitlines()
    (found.path / QUEUED).write_text("\n".join(noted[:2]) + '\n{"label": "mask=bl')  # torn
    assert len(found) == 2 and found.standing()["planned"] == 4
    assert found.resume() == (2, []) and len(found) == 4
    assert [run.config.mask for run in found.runs()][2:] == [
        "block(ratio=0.5)",
        "block(ratio=0.75)",
    ]


def test_a_sweep_that_was_handed_in_reaches_no_other_folder(paused: RunStore) -> None:
    found = made(paused, "handed in")
    outside, hidden = paused.folder.parent / "outside", paused.folder / "_hidden"
    rows = list((found.path / QUEUED).read_text().splitlines())
    for place, name in ((outside, "../outside"), (hidden, "_hidden"), (outside, str(outside))):
        place.mkdir(exist_ok=True)
        (place / "config.json").write_text("{}")
        (place / "state.json").write_text('{"state": "done"}')
        rows.append(json.dumps({"label": name, "run": name}))
    rows.append('{"label": "no run"}')
    (found.path / QUEUED).write_text("\n".join(rows) + "\n")
    assert len(found) == len(found.runs()) == 4
    found.cancel()
    assert found.delete() == 4
    assert outside.is_dir() and hidden.is_dir() and paused.ids() == []
    (paused.folder / "_sweeps" / "$(id)").mkdir()
    (paused.folder / "_sweeps" / "$(id)" / "sweep.json").write_text('{"name": "x"}')
    assert list(SweepStore(paused.folder)) == []  # no sweep of ours is called so


@pytest.mark.parametrize("odd", [{"created": "today"}, {"over": ["seed"]}, {"planned": None}])
def test_a_record_of_odd_types_hides_no_other_sweep(
    paused: RunStore, odd: dict[str, object]
) -> None:
    sound, damaged = made(paused, "sound"), made(paused, "damaged")
    write_json(damaged.path / FILE, {**damaged.record, **odd})
    assert [each.name for each in SweepStore(paused.folder)] == [sound.name]
    assert run_command(["sweeps", "list", "--dir", str(paused.folder)]) == 0


def test_a_sweep_that_is_refused_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = RunStore(tmp_path / "runs")
    Queue(store.folder).set(paused=1)
    words = ["digits_mae_tiny", "--name", "mine", "--dir", str(store.folder)]
    over = 'data=digits(),folder(path="/none")'  # the first of two is there
    assert run_command(["sweep", *words, "--over", over]) == 2
    assert "there is no /none" in capsys.readouterr().err
    assert store.ids() == [] and Queue(store.folder).jobs() == []
    assert list(SweepStore(store.folder).folder.iterdir()) == []
    assert len(made(store)) == 4  # the name is free


def test_what_cannot_be_queued_any_more_is_named_by_resume(paused: RunStore) -> None:
    data = paused.folder.parent / "pictures"
    (data / "train").mkdir(parents=True)
    (data / "train" / "a.png").touch()
    over = {"data": ["digits()", f"folder(path={str(data)!r})"]}
    found = sweep("digits_mae_tiny", over, dir=paused.folder, overrides={"evaluate": ""})
    (found.path / QUEUED).unlink()
    data.rename(data.with_name("moved"))
    count, refused = found.resume()
    assert count == 0 and "there is no" in refused[0] and len(found) == 0


@pytest.mark.parametrize(
    ("over", "shared", "told"),
    [
        ({"seed": ["1", "1"]}, {}, "'seed=1' and 'seed=1' .* same run"),
        ({"lr": ["0.1", "1e-1"]}, {}, "'lr=0.1' and 'lr=1e-1' .* same run"),
        ({"name": ["a", "b"]}, {}, "name"),
        ({"group": ["a", "b"]}, {}, "group"),
        ({"seed": ["1", "2"]}, {"name": "a"}, "name is 'a', .* --name"),
        ({"seed": ["1", "2"]}, {"group": "a"}, "group is 'a', .* --name"),
    ],
)
def test_equal_runs_and_names_of_ones_own_are_refused(
    over: dict[str, list[str]], shared: dict[str, str], told: str, paused: RunStore
) -> None:
    with pytest.raises(BadInput, match=told):
        sweep("digits_mae_tiny", over, dir=paused.folder, overrides=shared)
    assert paused.ids() == [] and not list(SweepStore(paused.folder))


def test_runs_that_train_alike_and_are_measured_otherwise_are_two() -> None:
    over = {"evaluate": ["knn(k=5)", "knn(k=9)"]}
    assert len(planned("digits_mae_tiny", over, {"name": ""}, "mine")) == 2


def test_resume_waits_for_runs_that_are_stopping_or_names_them(
    paused: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(paused)
    run = found.runs()[0]
    Queue(paused.folder).remove(run.id)
    pid, mark = me()
    run.set_state(state="running", step=7, pid=pid, mark=mark)
    (run.path / STOP).touch()
    monkeypatch.setattr(sweeps, "STOPS_WITHIN", 0.1)
    count, refused = found.resume()
    assert count == 0 and refused[0].startswith(f"{run.id} is still stopping")
    monkeypatch.setattr(sweeps, "STOPS_WITHIN", 30.0)
    end = threading.Timer(0.3, lambda: run.set_state(state="cancelled"))
    end.start()
    assert found.resume() == (1, [])
    assert states(found) == ["queued"] * 4


def test_only_one_process_queues_the_runs_of_a_sweep(
    paused: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, told = sweeps.enqueue_all, list[str]()

    def meddled(*arguments: Any) -> Any:
        (other,) = SweepStore(paused.folder)
        for act in (other.resume, other.delete):
            with pytest.raises(BadInput) as problem:
                act()
            told.append(str(problem.value))
        return usual(*arguments)

    monkeypatch.setattr(sweeps, "enqueue_all", meddled)
    found = made(paused)
    assert len(found) == len(Queue(paused.folder).jobs()) == 4 and len(told) == 8
    assert all("another process" in each for each in told)
    monkeypatch.undo()
    lock = Lock(found.path / LOCK)
    assert lock.take()  # it was given back
    lock.give()
    assert found.resume() == (0, [])


def test_where_a_sweep_stands_is_worked_out_from_its_runs() -> None:
    done = {"state": "done", "step": 100, "steps": 100, "started": 900.0, "updated": 910.0}
    going = {"state": "running", "step": 50, "steps": 100, "rate": 80.0, "batch": 16}
    waits = {"state": "queued", "step": 0, "steps": 200}
    told = standing([done, going, waits], 3, 1, False)
    # 0.1 s a step: 50 steps of the second, 200 of the third
    assert told["state"] == "running" and told["seconds_left"] == pytest.approx(25)
    assert told["share"] == pytest.approx(150 / 400)
    assert standing([done, going, waits], 3, 2, False)["seconds_left"] == pytest.approx(12.5)
    # nothing has ended yet: the running one makes 80 pictures/s, 16 a step
    assert standing([going, waits], 2, 1, False)["seconds_left"] == pytest.approx(0.2 * 250)
    assert standing([waits], 1, 1, True)["seconds_left"] is None
    assert standing([waits], 1, 1, True)["state"] == "paused"
    assert standing([done], 1, 1, False)["state"] == "done"
    assert standing([done, {**waits, "state": "failed"}], 2, 1, False)["state"] == "ended"
    assert standing([done], 2, 1, False)["share"] == pytest.approx(0.5)


def test_the_time_left_is_right_after_a_resume(paused: RunStore) -> None:
    found = sweep("digits_mae_tiny", {"seed": [0, 1]}, dir=paused.folder,
                  overrides={"steps": 1000, "batch": 16})  # fmt: skip
    first, second = found.runs()
    Queue(paused.folder).remove(first.id)
    # 990 steps before the break and 10 after it, a second each
    first.set_state(state="done", step=1000, tries=1, started=5000.0, updated=5010.0, rate=16.0)
    assert found.standing()["seconds_left"] == pytest.approx(1000)
    second.set_state(step=400, tries=1)  # waits to go on from there
    assert found.standing()["seconds_left"] == pytest.approx(600)


def test_waiting_for_a_sweep_looks_at_all_runs_now_and_then(
    paused: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sweep("digits_mae_tiny", {"seed": range(30)}, dir=paused.folder)
    for run in found.runs():
        Queue(paused.folder).remove(run.id)
        run.set_state(state="done")
    looks = list[dict[str, Any]]()
    assert [each["state"] for each in found.wait(looks.append)] == ["done"] * 30
    assert len(looks) < 10 and looks[-1]["state"] == "done"


def test_a_form_comes_to_runs_and_a_command(workbench_home: Any) -> None:
    body = {"preset": "digits_mae_tiny", "over": ["mask=random,block", "seed=0..1", ""],
            "shared": "steps=30 warmup=2", "name": "a b"}  # fmt: skip
    told = plan(body)
    assert (told["count"], told["steps"], told["measured"]) == (4, 120, "linear_probe")
    assert told["command"] == (
        "python -m workbench sweep digits_mae_tiny --over mask=random,block --over seed=0..1 "
        "steps=30 warmup=2 --name 'a b'"
    )
    assert RunStore().ids() == []  # nothing was started
    for change, words in (
        ({"over": []}, "goes over no knob"),
        ({"over": ["seed=0..3", "seed=4"]}, "names a knob twice"),
        ({"over": ["seed=0..9999"]}, "at most 500"),
        ({"over": ["steps=10,20"]}, "steps is '30' for all runs"),
        ({"over": ["mask=checker", "ratio=0.5"]}, "no knob 'ratio'"),
        ({"shared": "steps"}, "is no key=value"),
        ({"preset": "nothing"}, "no preset is called"),
    ):
        assert words in plan({**body, **change})["problem"]
    for bad in ({"over": "mask"}, {"name": 3}, {"shared": "x" * 500}, {"shared": "'"}):
        with pytest.raises(BadInput):
            plan({**body, **bad})


def test_masks_that_leave_nothing_are_told_before_anything_is_queued(
    paused: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """4 x 4 patches in units of 2 x 2: a ratio of 0.9 is all of them, one of 0.1 is none."""
    said = "units(ratio=0.9) hides all 16 patches of every picture"
    form = {"preset": "digits_mae_tiny", "over": ["mask=random,units", "seed=0..1"]}
    told = plan({**form, "over": [*form["over"], "ratio=0.5,0.9"]})
    assert told["count"] == 8 and told["problem"] == ""
    ((sentence, count),) = told["warned"].items()
    assert count == 2 and sentence.startswith(said)
    none = "mask=units, seed=0, ratio=0.1: units(ratio=0.1) hides none of 16 patches"
    assert plan({**form, "over": [*form["over"], "ratio=0.1"]})["problem"].startswith(none)
    words = ["sweep", "digits_mae_tiny", "--dir", str(paused.folder), "--over", "mask=units"]
    assert run_command([*words, "--over", "ratio=0.1,0.5"]) == 2
    assert "hides none of 16 patches" in capsys.readouterr().err and paused.ids() == []
    assert run_command([*words, "--over", "ratio=0.5,0.9"]) == 0
    assert f"warning, 1 run: {said}" in capsys.readouterr().out and len(paused.ids()) == 2
    assert next(iter(SweepStore(paused.folder))).record["warned"] == {sentence: 1}


def test_what_goes_over_what_is_read_from_texts() -> None:
    assert read_over(["ratio=0.5", "mask=random,block(ratio=0.5, min_patches=2)"]) == {
        "ratio": ["0.5"], "mask": ["random", "block(ratio=0.5, min_patches=2)"],
    }  # fmt: skip


def test_ranges_are_read_without_being_made() -> None:
    assert values_of("seed=-2..1") == ("seed", ["-2", "-1", "0", "1"])
    began = time.monotonic()
    for text in ("seed=0..999999999999", "seed=-99999999999999999..9", "seed=1..10001"):
        with pytest.raises(BadInput, match="values, at most 10,000"):
            values_of(text)
    assert time.monotonic() - began < 1
    for text in ("seed=--5..3", f"seed=0..{'9' * 5000}", f"seed={'9' * 5000}"):
        with pytest.raises(BadInput, match="must be a whole number"):
            planned("digits_mae_tiny", read_over([text]), {}, "mine")
