"""The commands around runs, in this process; the queue and its trainers are real."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.runs.conftest import until
from workbench.cli import run as run_command
from workbench.runs.config import OPERATIONAL
from workbench.runs.launching import wait
from workbench.runs.store import JsonLines, RunStore, read_lines, tail
from workbench.runs.watching import Spikes, Watchdog

QUICK = ["steps=6", "batch=16", "dim=32", "depth=1", "save_every=3", "log_every=1", "threads=1"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, the JSON document and stderr of a command."""
    status = run_command([*arguments, "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out) if out else {}, err


def test_a_run_from_the_command_line_to_its_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--dir", str(tmp_path / "runs")]
    status, told, _ = said(
        capsys, "sweep", "digits_mae_tiny", *QUICK, "--over", "ratio=0.5,0.75", "--name", "<b>",
        "--wait", *folder,
    )  # fmt: skip
    assert status == 0 and told["states"] == ["done", "done"] and told["group"] == "<b>"
    name = told["runs"][0]
    _, listed, _ = said(capsys, "runs", "list", "--group", "<b>", *folder)
    assert [row["id"] for row in listed["runs"]] == told["runs"][::-1]
    _, shown, _ = said(capsys, "runs", "show", name, *folder)
    assert shown["metrics"][0]["step"] == 6 and len(shown["checkpoints"]) == 2
    assert shown["config"]["mask"] == "random(ratio=0.5)" and len(shown["pictures"]) == 6
    _, log, _ = said(capsys, "runs", "log", name, *folder)
    assert any("1,438 pictures of digits()" in line for line in log["log"])
    _, found, _ = said(capsys, "evaluate", name, "--protocol", "knn", *folder)
    assert found["evaluations"][0]["count"] == 359
    _, beside, _ = said(capsys, "runs", "compare", "--group", "<b>", *folder)
    assert beside["differing"] == ["mask"] and len(beside["curves"]) == 2
    for arguments, wanted in (
        (["runs", "resume", name], "is done after 6 steps"),
        (["runs", "show", "; rm -rf"], "no run is called"),
        (["runs", "compare"], "nothing to compare"),
        (["train", "digits_mae_tiny", "size=9"], "must be a multiple of the patch"),
        (["train", "digits_mae_tiny", "mask=tubes()"], "take another mask"),
        (["train", "digits_mae_tiny", "speed=3"], "is no knob of a run"),
        (["train", "digits_mae_tiny", "ratio=most"], "ratio is 'most', but must be a number"),
        (["train", "digits_mae_tiny", "data=/a/b"], "write data=\"folder(path='/a/b')\""),
        (["train", "digits_mae_tiny", "data.path=x"], "it has none; name another data"),
    ):
        status, _, err = said(capsys, *arguments, *folder)
        assert status == 2 and wanted in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("cifar10()", "CIFAR-10 is not in"),
        ("fashion_mnist()", "Fashion_MNIST is not in"),
        ("cifar100()", "CIFAR-100 is not in"),
        ("stl10()", "STL10 is not in"),
        ("folder(path='photoz')", "there is no photoz"),
        ("folder(path='empty')", "holds no PNG, JPEG or WebP file"),
        ("pack(path='photos.npz')", "there is no photos.npz"),
    ],
)
def test_no_run_waits_for_data_that_are_not_there(
    data: str,
    told: str,
    tmp_path: Path,
    workbench_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    folder = tmp_path / "runs"
    words = ["digits_mae_tiny", f"data={data}", "--dir", str(folder)]
    for command in (["train", *words], ["sweep", *words, "--over", "seed=0,1"]):
        status, _, wrong = said(capsys, *command)
        assert status == 2 and told in wrong
    assert list(RunStore(folder)) == []


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--steps", "5", "--device", "zzz"], "for a run write steps=5 instead"),
        (["--mask", "random(ratio=0.5)"], "write mask='random(ratio=0.5)' instead"),
        (["--device", "zzz"], "write device=zzz instead"),
        (["--resume"], "workbench runs resume RUN"),
        (["--masks", "3"], "--masks goes with --data only"),
    ],
)
def test_options_of_photos_are_refused_for_runs(
    options: list[str], wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--dir", str(tmp_path / "runs")]
    status, _, wrong = said(capsys, "train", "digits_mae_tiny", *options, *folder)
    assert status == 2 and wanted in wrong and not (tmp_path / "runs").exists()


def test_hints_name_the_folder_and_names_cannot_steer_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "my runs"
    folder = ["--dir", str(place)]
    assert run_command(["runs", "queue", "paused=1", *folder]) == 0
    words = ["train", "digits_mae_tiny", *QUICK, "name=a\x1b]0;b\x07\nc"]
    capsys.readouterr()
    assert run_command([*words, *folder]) == 0
    hint = capsys.readouterr().out.splitlines()[-1]
    look = shlex.split(hint.removeprefix("look: python -m workbench "))
    assert run_command(look) == 0 and look[-2:] == folder
    capsys.readouterr()
    assert run_command(["runs", "list", *folder]) == 0
    listed = capsys.readouterr().out
    assert listed.count("\n") == 2 and listed.endswith("a\\x1b]0;b\\x07\\nc\n")
    name = RunStore(place).ids()[0]
    for lines in ("0", "-5"):
        status, _, wrong = said(capsys, "runs", "log", name, "--lines", lines, *folder)
        assert status == 2 and f"--lines is {lines}, but must be 1 or more" in wrong
    assert tail(place / name / "config.json", 0) == []


def test_what_resume_says_may_change_may_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["runs", "resume", "--help"]) == 0
    named = set(re.findall(r"\b([a-z_]+)=", capsys.readouterr().out))
    assert named and named <= OPERATIONAL


def test_presets_and_objectives_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    _, told, _ = said(capsys, "presets")
    assert {"cifar10_mae_tiny", "digits_mae_tiny"} <= set(told["presets"])
    _, told, _ = said(capsys, "objectives")
    mae = next(row for row in told["objectives"] if row["name"] == "mae")
    assert mae["paper"] == "arXiv:2111.06377" and "digits_mae_tiny" in mae["presets"]


def test_a_preflight_measures_and_says_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told, _ = said(
        capsys, "train", "digits_mae_tiny", *QUICK, "--preflight", "--dir", str(tmp_path)
    )
    assert status == 0 and told["problems"] == [] and told["pictures"] == 1438
    assert told["command"].startswith(
        "python -m workbench train digits_mae_tiny dim=32 depth=1 batch=16"
    )
    assert 0 < told["memory"] < told["memory_free"] and told["disk"] > told["checkpoint"]


def test_waiting_runs_are_taken_out_and_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--dir", str(tmp_path / "runs")]
    assert said(capsys, "runs", "queue", "paused=1", *folder)[1]["settings"]["paused"] == 1
    names = [
        said(capsys, "train", "digits_mae_tiny", *QUICK, f"seed={i}", *folder)[1]["id"]
        for i in range(2)
    ]
    told = said(capsys, "runs", "queue", "--first", names[1], *folder)[1]
    assert [job["run"] for job in told["jobs"]] == names[::-1]
    told = said(capsys, "runs", "cancel", names[1], *folder)[1]
    assert told["state"]["state"] == "cancelled"
    said(capsys, "runs", "queue", "paused=0", *folder)
    store = RunStore(tmp_path / "runs")
    assert wait(store.get(names[0]), 90)["state"] == "done"
    until(lambda: not said(capsys, "runs", "queue", *folder)[1]["jobs"])


def test_spikes_and_stalls_are_told_once() -> None:
    spikes = Spikes()
    assert [spikes.look(1.0) for _ in range(30)] == [None] * 30
    assert spikes.look(2.9) is None and spikes.look(3.1) == 1.0 and spikes.look(3.2) is None
    now, told = [0.0], []
    dog = Watchdog(10, told.append, lambda: None, clock=lambda: now[0])
    for now[0] in (5.0, 11.0, 12.0):
        dog.look()
    dog.step()
    now[0] = 20.0
    dog.look()
    assert told == [11.0]


def test_torn_lines_are_closed_off_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    with JsonLines(path) as file:
        file.write({"step": 3, "loss": float("nan")})
    assert list(read_lines(path)) == [{"step": 1}, {"step": 3, "loss": "nan"}]
    (tmp_path / "log.txt").write_text("\n".join(map(str, range(5000))))
    assert tail(tmp_path / "log.txt", 2) == ["4998", "4999"]
