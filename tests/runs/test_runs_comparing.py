"""Runs beside each other on folders written by hand, with numbers worked out on paper."""

import gc
import json
import weakref
from typing import Any

import pytest
from PIL import Image

from app.compare_rows import Asked, choices, compared
from tests.runs.conftest import Small
from workbench.cli import run as run_command
from workbench.runs.boards import board, usual_axes
from workbench.runs.comparing import compare
from workbench.runs.labels import axis_names, labelled, value_of
from workbench.runs.series import curves, logged, over_seeds, series, smoothed, thinned
from workbench.runs.store import ALERTS, EVALUATIONS, METRICS, PICTURES, Run, RunStore

# accuracy by (mask, ratio): one for each of two seeds
SCORES = {
    ("random", 0.5): (0.80, 0.90),
    ("random", 0.75): (0.60, 0.70),
    ("block(min_patches=2)", 0.5): (0.50, 0.52),
    ("block(min_patches=2)", 0.75): (0.95, None),
}


def written(store: RunStore, small: Small, seconds: float = 0.5, **knobs: Any) -> Run:
    """A run that has trained for 6 steps: losses 3, 2, 1 after steps 2, 4, 6."""
    run = store.create(small(batch=16, steps=6, **knobs))
    run.append(METRICS, {"step": 2, "loss": 3.0, "seconds": seconds, "lr": 0.1})
    run.append(METRICS, {"step": 4, "loss": 2.0, "seconds": seconds, "lr": 0.1})
    run.append(METRICS, {"step": 6, "loss": 1.0, "seconds": 2 * seconds, "lr": "nan"})
    (run.path / PICTURES).mkdir()
    for step in (0, 6):
        for title in ("original", "reconstruction"):
            Image.new("RGB", (8, 8)).save(run.path / PICTURES / f"step-{step:08d}-{title}.png")
    run.set_state(state="done", step=6)
    return run


class Rows(list[dict[str, Any]]):
    """Metrics that can be watched."""


def test_a_growing_run_is_held_once(
    store: RunStore, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, metrics, read = store.create(small()), Run.metrics, list[weakref.ref[Rows]]()

    def watched(own: Run) -> Rows:
        rows = Rows(metrics(own))
        read.append(weakref.ref(rows))
        return rows

    monkeypatch.setattr(Run, "metrics", watched)
    for step in range(1, 6):
        run.append(METRICS, {"step": step, "loss": 1.0})
        assert logged(run)[-1]["step"] == step and series(run, "loss")[0][-1] == step
    gc.collect()
    assert len(read) == 5 and [each() is not None for each in read] == [False] * 4 + [True]


@pytest.fixture
def runs(store: RunStore, small: Small) -> list[Run]:
    found: list[Run] = []
    for (mask, ratio), scores in SCORES.items():
        name, _, rest = mask.partition("(")
        recipe = f"{name}(ratio={ratio}{', ' + rest if rest else ')'}"
        for seed, accuracy in enumerate(scores):
            run = written(store, small, mask=recipe, seed=seed, name=f"<b>{len(found)}")
            for score in () if accuracy is None else (0.1, accuracy):  # the newest counts
                run.append(EVALUATIONS, {"protocol": "knn", "step": 6, "accuracy": score})
            found.append(run)
    return found


def test_only_what_differs_is_told(runs: list[Run]) -> None:
    found = compare(runs[:2])
    assert found.differing == ["seed"]  # their names differ too, which is no setting
    assert [row["knobs"] for row in found.rows] == [{"seed": 0}, {"seed": 1}]
    assert [row["label"] for row in found.rows] == ["seed 0", "seed 1"]
    assert compare([runs[0], runs[2]]).differing == ["mask"]
    assert compare(runs[:1]).differing == []
    assert axis_names([run.record for run in runs]) == ["mask", "ratio", "seed"]
    assert axis_names([runs[0].record, runs[2].record]) == ["ratio"]


def test_runs_of_one_configuration_are_told_apart_by_their_ids(
    store: RunStore, small: Small
) -> None:
    twins = {run.id: run.record for run in (store.create(small()), store.create(small()))}
    labels = labelled(twins)
    assert len(set(labels.values())) == 2
    assert all(label.endswith(name[-5:]) for name, label in labels.items())


def test_runs_that_differ_in_many_knobs_have_short_labels() -> None:
    def record(preset: str, **knobs: Any) -> dict[str, Any]:
        return {"preset": preset, "name": "", "lr": 0.1, "dim": 1, "depth": 1, "size": 8} | knobs

    many = {"lr": 0.2, "dim": 2, "depth": 2, "size": 16}
    records = {"a": record("mae"), "b": record("mae", depth=3), "c": record("beit", **many)}
    assert labelled(records) == {"a": "mae depth 1", "b": "mae depth 3", "c": "beit"}
    named = {id: {**each, "name": f"my {id}"} for id, each in records.items()}
    assert labelled(named) == {"a": "my a", "b": "my b", "c": "my c"}
    named["c"]["name"] = "my a"
    assert labelled(named) == {"a": "mae", "b": "my b", "c": "beit"}
    paths = {id: {"data": f"kept(path='/tmp/runs/{id}.npz')"} for id in "ab"}
    assert labelled(paths) == {"a": "kept(path='…/a.npz')", "b": "kept(path='…/b.npz')"}


def test_a_mask_is_its_strategy_and_other_knobs_and_the_ratio_apart() -> None:
    record = {"mask": 'guided(scores="edges(sigma=1.0)", ratio=ramp(0.5, 0.9))', "lr": 0.001}
    assert value_of(record, "mask") == "guided(scores='edges(sigma=1.0)')"
    assert value_of(record, "ratio") == "ramp(0.5, 0.9)"
    assert value_of(record, "lr") == "0.001" and value_of(record, "depth") == ""
    assert value_of({"mask": "__import__('os')"}, "mask") == "__import__"
    assert value_of({"mask": "(" * 500}, "mask") == "(" * 500


def test_curves_against_steps_pictures_and_seconds(runs: list[Run]) -> None:
    assert series(runs[0], "loss") == ([2.0, 4.0, 6.0], [3.0, 2.0, 1.0])
    assert series(runs[0], "loss", "pictures")[0] == [32.0, 64.0, 96.0]
    assert series(runs[0], "loss", "seconds")[0] == [1.0, 2.0, 4.0]  # 2 x 0.5, 2 x 0.5, 2 x 1
    assert series(runs[0], "lr") == ([2.0, 4.0], [0.1, 0.1])  # "nan" is no point
    runs[0].append(METRICS, {"resumed": 2})
    runs[0].append(METRICS, {"step": 4, "loss": 5.0, "seconds": 0.5})
    assert series(runs[0], "loss") == ([2.0, 4.0], [3.0, 5.0])


def test_smoothing_is_a_mean_over_the_values_so_far() -> None:
    # weights 1, 0.5 and 0.25: (0.25 * 4 + 0.5 * 0 + 1 * 2) / 1.75
    assert smoothed([4.0, 0.0, 2.0], 0.5) == pytest.approx([4.0, 4 / 3, 3 / 1.75])
    assert smoothed([4.0, 0.0, 2.0], 0.0) == [4.0, 0.0, 2.0]
    assert smoothed([7.0] * 9, 0.98) == pytest.approx([7.0] * 9)
    assert thinned([1.0, 3.0, 5.0], 2) == [2.0, 5.0] and len(thinned([0.0] * 1001)) <= 400


def test_seeds_are_one_curve_with_a_band(runs: list[Run]) -> None:
    runs[1].append(METRICS, {"resumed": 2})
    runs[1].append(METRICS, {"step": 4, "loss": 6.0, "seconds": 0.5})
    each = curves(runs[:2], ["a", "b"])
    (line,) = over_seeds(each, [[run.id for run in runs[:2]]], ["both"])
    assert (line.x, line.y, line.low, line.high) == ([2, 4], [3, 4], [3, 2], [3, 6])


def test_seeds_are_matched_by_step_before_they_are_thinned(store: RunStore, small: Small) -> None:
    found = [store.create(small(steps=5000, seed=seed)) for seed in (0, 1)]
    for run, rows in zip(found, (400, 500), strict=True):  # of y = x, one has come further
        lines = "".join(
            json.dumps({"step": 10 * at, "loss": 10 * at}) + "\n" for at in range(1, rows)
        )
        (run.path / METRICS).write_text(lines)
    (line,) = over_seeds(curves(found, ["a", "b"]), [[run.id for run in found]], ["both"])
    assert line.x[-1] == 3990 and line.x == line.y == line.low == line.high
    told = compared(store, Asked(runs=tuple(run.id for run in found), mean="1"))["curves"]["lines"]
    assert len(told) == 1 and told[0]["low"] == told[0]["high"] == told[0]["x"]


def measured(store: RunStore, small: Small, objective: str, sentence: str, value: float) -> Run:
    """A run of an objective with a measure "error" of its own."""
    run = written(store, small, objective=objective, mask="random(ratio=0.5)")
    row = {"value": value, "higher": False, "metric": sentence, "measures": {"error": {}}}
    run.append(EVALUATIONS, {"protocol": "metric", "step": 6, **row})
    run.append(EVALUATIONS, {"protocol": "metric@initial", "step": "initial", **row, "value": 2.0})
    return run


def test_an_error_is_no_share_and_the_lowest_is_best(store: RunStore, small: Small) -> None:
    found = [measured(store, small, "mae()", "squared error", value) for value in (0.427, 0.3)]
    found += [written(store, small, lr=0.5)]
    told = compare(found)
    assert told.metrics == ["error", "loss", "error@initial"]
    assert not told.measures["error"].share and not told.measures["error"].higher
    assert told.measures["error"].written(0.427) == "0.427"
    records = [run.record for run in found]
    assert axis_names(records)[-1] == "lr" and told.rows[2]["metrics"] == {"loss": 1.0}
    runs = [measured(store, small, "mae()", "e", value) for value in (0.4, 0.3)]
    for run, seed in zip(runs, (1, 2), strict=True):
        (run.path / "config.json").write_text(json.dumps({**run.record, "seed": seed}))
    assert board(compare([store.get(run.id) for run in runs]), "seed", "", "error").best == (1, 0)


def test_what_a_run_warned_of_stands_beside_its_numbers(
    store: RunStore, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    said = "random(ratio=0.75) hides all"
    for run in runs[2:4]:  # both seeds of random at 0.75
        run.append(ALERTS, {"kind": "mask", "sentence": said})
    for at in range(3):
        runs[0].append(ALERTS, {"kind": "data", "sentence": f"{at}.png was left out"})
    runs[0].append(ALERTS, {"kind": "restart", "sentence": "went on after a restart"})
    found = compare(runs)
    assert found.warned == {
        "0.png was left out": [runs[0].id], said: [runs[2].id, runs[3].id],
    }  # fmt: skip
    cells = board(found, "mask", "ratio", "knn").cells
    assert [[cell.warned for cell in row] for row in cells] == [
        [("0.png was left out",), (said,)], [(), ()]
    ]  # fmt: skip
    told = compared(store, Asked(runs=tuple(run.id for run in runs)))
    assert told["warned"][1] == ["random 0.75 seed 0; random 0.75 seed 1", said]
    assert told["board"]["cells"][0][1]["warned"] == [said]
    names = [run.id for run in runs]
    assert run_command(["runs", "compare", *names, "--dir", str(store.folder)]) == 0
    assert f"warning, 2 runs: {said}\n" in capsys.readouterr().out


def test_measures_of_two_objectives_share_no_row(store: RunStore, small: Small) -> None:
    found = compare([
        measured(store, small, "mae()", "squared error of a patch", 0.4),
        measured(store, small, "simmim()", "absolute error of a patch", 0.3),
    ])  # fmt: skip
    names = ["error: squared error of a patch", "error: absolute error of a patch"]
    assert found.metrics[:2] == names
    made = board(found, "objective", "", "loss")
    assert made.best is None  # losses of two objectives are no measure of one thing
    assert board(found, "objective", "", names[0]).best is None


def test_accuracies_on_two_data_sets_share_no_column(runs: list[Run]) -> None:
    for run, data in zip(runs, ("digits()", "digits()", "cifar10()"), strict=False):
        row = {"protocol": "knn", "step": 6, "accuracy": 0.5, "data": data}
        run.append(EVALUATIONS, row)
    assert compare(runs[:2]).metrics == ["knn", "loss"]
    found = compare(runs[:3])
    assert found.metrics == ["knn on digits()", "knn on cifar10()", "loss"]
    assert board(found, "ratio", "", "knn on cifar10()").best is None


def test_the_matrix_holds_means_intervals_and_pictures(runs: list[Run]) -> None:
    found = compare(runs)
    assert found.metrics == ["knn", "loss"] and usual_axes(found) == ("mask", "ratio")
    made = board(found, "mask", "ratio", "knn")
    assert made.rows == ["random", "block(min_patches=2)"] and made.columns == ["0.5", "0.75"]
    cell = made.cells[0][0]
    # mean 0.85, s = 0.0707, Student's t(0.975, 1) = 12.706: half 12.706 * 0.0707 / sqrt(2)
    assert cell.mean is not None and cell.mean.mean == pytest.approx(0.85)
    assert cell.mean.half == pytest.approx(12.7062 * 0.05, rel=1e-4)
    knn = found.measures["knn"]
    assert cell.runs == (runs[0].id, runs[1].id) and cell.written(knn) == "85.0 ± 63.5%"
    assert made.cells[1][1].written(knn) == "95.0%"  # of one seed there is no interval
    assert made.best == (1, 1) and made.mixed == []
    assert cell.picture is not None and cell.picture[0] == runs[0].id
    assert cell.picture[1].name == "step-00000006-reconstruction.png"
    assert board(found, "mask", "", "knn").mixed == ["ratio"]
    assert board(found, "seed", "mask", "loss").best == (0, 0)


def test_masks_that_follow_from_objectives_leave_the_matrix_to_them(
    store: RunStore, small: Small
) -> None:
    masks = {"mae()": "random(ratio=0.75)", "supervised()": "", "simclr()": ""}
    made = [
        store.create(small(objective=objective, mask=mask, lr=lr))
        for objective, mask in masks.items() for lr in (0.1, 0.2)
    ]  # fmt: skip
    found = compare(made)
    assert usual_axes(found) == ("objective", "lr")
    assert board(found, *usual_axes(found), "loss").mixed == []


def test_the_page_is_given_what_a_link_asks_for(runs: list[Run], store: RunStore) -> None:
    ids = [run.id for run in runs]
    link = {"runs": ",".join([*ids, "nowhere", "../etc"]), "x": "pictures", "smooth": "0.5"}
    told = compared(store, Asked.read({**link, "metric": "loss", "rows": "ratio", "columns": "x"}))
    assert [run["id"] for run in told["runs"]] == ids and not told["going"]
    assert len(told["missing"]) == 2 and "nowhere" in told["missing"][0]
    assert [name for name, _ in told["differing"]["knobs"]] == ["mask", "seed"]
    assert told["differing"]["results"][0] == [
        "knn", ["80.0%", "90.0%", "60.0%", "70.0%", "50.0%", "52.0%", "95.0%", "–"],
    ]  # fmt: skip
    assert told["curves"]["mean"] and len(told["curves"]["lines"]) == 4  # a crowd: seeds together
    assert told["curves"]["lines"][0]["x"] == [32, 64, 96]
    assert told["curves"]["lines"][0]["y"] == pytest.approx([3, 7 / 3, 11 / 7], rel=1e-4)
    assert (told["board"]["up"], told["board"]["across"], told["board"]["metric"]) == (
        "ratio", "mask", "loss",
    )  # fmt: skip
    assert [row["label"] for row in told["table"]["rows"]][:2] == ["random 0.5", "random 0.75"]
    assert told["table"]["rows"][3]["cells"][0] == {"text": "95.0%", "count": 1}
    assert told["pictures"]["steps"] == [0, 6]
    space: dict[str, Any] = {}
    few = compared(store, Asked(runs=(ids[0], ids[3])))
    assert few["table"] is None and few["board"] is None and not few["curves"]["mean"]
    assert (
        few["command"].startswith("python -m workbench runs compare") and ids[3] in few["command"]
    )
    compile(few["python"], "copied", "exec", dont_inherit=True, flags=0)
    assert f"runs.get(name) for name in {[ids[0], ids[3]]!r}" in few["python"] and not space


@pytest.mark.parametrize(
    "query",
    [{}, {"runs": ",,"}, {"smooth": "nan", "x": "y"}, {"smooth": "-3"}, {"sweep": "<script>"}],
)
def test_an_empty_or_odd_link_shows_an_empty_page(query: dict[str, str], store: RunStore) -> None:
    asked = Asked.read(query)
    told = compared(store, asked)
    assert told["runs"] == [] and asked.x == "step" and 0 <= asked.smooth < 1
    assert bool(told["missing"]) == ("sweep" in query)


def test_a_damaged_run_is_told_and_the_others_are_shown(runs: list[Run], store: RunStore) -> None:
    (runs[0].path / "config.json").write_text("{")
    told = compared(store, Asked(runs=(runs[0].id, runs[1].id)))
    assert [run["id"] for run in told["runs"]] == [runs[1].id]
    assert "damaged" in told["missing"][0]


def test_runs_are_found_by_words(runs: list[Run], store: RunStore) -> None:
    found = choices(store, "block <b>7", 10)
    assert [row["id"] for row in found["runs"]] == [runs[7].id] and found["fitting"] == 1
    assert len(choices(store, "", 3)["runs"]) == 3 and choices(store, "", 3)["fitting"] == 8
    assert choices(store, "zebra", 3)["runs"] == []
