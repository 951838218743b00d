"""The doctor: true about what is there, and useful about what is not."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from workbench import chromium, cli, doctor
from workbench.models import catalog


def finding(report: doctor.Report, name: str) -> doctor.Finding:
    (found,) = [each for each in report.findings if each.name == name]
    return found


def state_of(report: doctor.Report, name: str) -> str:
    return finding(report, name).state


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workbench_home: Path) -> Path:
    """A copy of the bundled checkpoints that a test may break."""
    copy = tmp_path / "checkpoints"
    shutil.copytree(catalog.BUNDLED, copy)
    monkeypatch.setattr(catalog, "BUNDLED", copy)
    return copy


def examine(*parts: Callable[[], object]) -> doctor.Report:
    """A report of some parts only: the whole takes seconds."""
    return doctor.Report(tuple(each for part in parts for each in part()))


def test_this_machine_is_usable_and_told_as_it_is(
    capsys: pytest.CaptureFixture[str], workbench_home: Path
) -> None:
    assert cli.run(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = {each["name"]: each for each in told["findings"]}
    assert told["usable"] is True
    assert found["Python"]["found"].startswith(sys.version.split()[0])
    assert f"torch {metadata.version('torch')}" in found["packages"]["found"]
    for name, info in {each.name: each for each in catalog.list_models()}.items():
        digest = hashlib.sha256(info.path.read_bytes()).hexdigest()
        assert digest in found[f"model {name}"]["found"]
    assert "bf16" in found["cpu"]["found"]
    assert "free of" in found["memory"]["found"]


def test_the_report_for_people_has_a_line_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    report = examine(doctor.programs, doctor.browser)
    assert len(report.lines()) == len(report.findings) + 1
    assert report.lines()[-1] == "Usable."


def test_a_damaged_checkpoint_is_told_and_not_usable(checkpoints: Path) -> None:
    assert state_of(examine(doctor.checkpoints), "model default") == "ok"
    weights = checkpoints / "default.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    report = examine(doctor.checkpoints)
    assert not report.usable
    assert "does not have the hash on its card" in finding(report, "model default").found
    assert "git checkout" in finding(report, "model default").remedy


@pytest.mark.parametrize("name", ["default.safetensors", "default.json"])
def test_a_missing_checkpoint_or_card_is_told(checkpoints: Path, name: str) -> None:
    (checkpoints / name).unlink()
    report = examine(doctor.checkpoints)
    assert not report.usable and state_of(report, "model default") == "missing"


def test_a_missing_package_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name in ("streamlit", "timm", "submitit", "trackio"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    report = examine(doctor.packages)
    assert state_of(report, "streamlit") == "missing" and not report.usable
    assert "make setup" in finding(report, "streamlit").remedy
    assert state_of(report, "timm") == "note"
    for name, extra in (("submitit", "slurm"), ("trackio", "track")):
        assert state_of(report, name) == "note"
        assert f"mask-workbench[{extra}]" in finding(report, name).remedy


def test_a_home_that_is_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    monkeypatch.setenv("WORKBENCH_HOME", str(taken))
    report = examine(doctor.places)
    assert state_of(report, "home") == "missing" and not report.usable
    assert taken.read_text() == "mine"


def test_no_chromium_is_a_note_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    report = examine(doctor.browser)
    assert state_of(report, "Chromium") == "note" and report.usable
    assert "make browser" in finding(report, "Chromium").remedy


def test_a_program_that_does_not_start_is_no_chromium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "chromium-browser"
    stub.write_text("#!/bin/sh\necho 'install the snap' >&2\nexit 1\n")
    stub.chmod(0o755)
    working = tmp_path / "google-chrome"
    working.write_text("#!/bin/sh\necho 'Chromium 1.2.3'\n")
    working.chmod(0o755)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert chromium.find() == (str(working), "Chromium 1.2.3")


def test_a_part_that_fails_does_not_take_the_doctor_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[doctor.Finding]:
        raise OSError("no /proc here")

    for part in ("devices", "packages", "checkpoints", "browser"):
        monkeypatch.setattr(doctor, part, lambda: iter(()))
    monkeypatch.setattr(doctor, "machine", broken)
    report = doctor.examine()
    (bad,) = [each for each in report.findings if each.state == "missing"]
    assert "no /proc here" in bad.found
