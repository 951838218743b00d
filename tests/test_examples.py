"""What the README shows is true: its commands run, its code runs, its one-file strategy works."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHORT_RUNS = (
    "draw", "reconstruct", "measure", "matrix", "search", "atlas", "strategies", "doctor",
)  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def strategy_source() -> str:
    (source,) = [block for block in blocks("python") if "(Strategy)" in block]
    return source


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line) for line in lines if line.startswith("python -m workbench")]
    return [each[3:] for each in words if each[3] in SHORT_RUNS]


def test_the_readme_starts_with_a_picture_and_the_two_commands() -> None:
    assert re.search(r"!\[[^]]+\]\(assets/screenshot\.png\)", README[:400])
    assert (ROOT / "assets" / "screenshot.png").is_file()
    assert blocks("sh")[0].split()[-2:] == ["make", "app"]


def test_every_short_command_is_shown() -> None:
    assert {each[0] for each in commands()} == set(SHORT_RUNS)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_of_the_readme_run(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workbench_home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(words) == 0
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists()


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    code = "\n".join(block for block in blocks("python") if "(Strategy)" not in block)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(code, "README.md", "exec"), {})
    assert told.getvalue().startswith("118 118 (256, 14, 14)\n")
    assert "torch.Size([1, 3, 144, 144])" in told.getvalue()


def test_every_path_and_target_the_readme_names_is_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    named = re.findall(r"`((?:workbench|app|tests|notebooks|benchmarks)/[\w./]+)`", README)
    missing = [path for path in linked + named if not (ROOT / path).exists()]
    assert [path for path in missing if path != "workbench/masks/spot.py"] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_tree_of_the_readme_is_the_tree() -> None:
    tree = next(block for block in blocks("") if block.startswith("workbench/"))
    shown = set(re.findall(r"\b([a-z]+)/", tree)) - {"workbench"}
    parts = {path.parent.name for path in (ROOT / "workbench").glob("*/*.py")}
    assert parts <= shown, f"not in the README's tree: {sorted(parts - shown)}"
    inside = {name for name in shown if not (ROOT / name).is_dir()}
    assert inside == parts, f"shown, but not there: {sorted(inside - parts)}"


# --- one file -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house_with_spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the README's file added, and nothing else changed."""
    house = tmp_path_factory.mktemp("house")
    for part in ("workbench", "app", "tests"):
        shutil.copytree(ROOT / part, house / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", house)
    (house / "assets").symlink_to(ROOT / "assets")
    (house / "workbench" / "masks" / "spot.py").write_text(strategy_source(), encoding="utf-8")
    return house


def python(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=house,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(house)},
    )


def passed(ran: subprocess.CompletedProcess[str]) -> int:
    """How many tests a pytest run passed, after checking that none failed."""
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = re.search(r"(\d+) passed", ran.stdout)
    assert found is not None
    return int(found[1])


def test_the_file_alone_puts_the_strategy_into_the_command_line(house_with_spot: Path) -> None:
    ran = python(house_with_spot, "-m", "workbench", "strategies", "--json")
    assert ran.returncode == 0, ran.stderr
    rows = {row["name"]: row for row in json.loads(ran.stdout)["strategies"]}
    assert rows["spot"]["summary"] == "Hide the patches nearest to a random point."
    assert [knob["name"] for knob in rows["spot"]["knobs"]] == ["ratio", "stretch"]
    recipe = "spot(ratio=0.5, stretch=2.0)"
    ran = python(house_with_spot, "-m", "workbench", "draw", recipe, "--grid", "9x9", "--json")
    assert json.loads(ran.stdout)["hidden"] == {"min": 41, "max": 41, "mean": 41.0}


def test_the_file_alone_puts_the_strategy_under_the_contract_tests(house_with_spot: Path) -> None:
    ran = python(
        house_with_spot, "-m", "pytest", "-q", "tests/test_masks_contract.py", "-k", "spot"
    )
    assert passed(ran) >= 5


def test_the_file_alone_puts_the_strategy_into_the_app(house_with_spot: Path) -> None:
    tests = ("-q", "--collect-only", "tests/test_app_views.py", "-k", "spot")
    assert "[spot]" in python(house_with_spot, "-m", "pytest", *tests).stdout
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('app/dashboard.py', default_timeout=120)\n"
        "page.query_params['mask'] = 'spot(ratio=0.4)'\n"
        "page.run()\n"
        "(menu,) = [box for box in page.selectbox if box.label == 'Mask strategy']\n"
        "print(menu.value, len(menu.options), page.session_state['spec'].mask)"
    )
    ran = python(house_with_spot, "-c", code)
    assert ran.stdout.split()[0] == "spot", ran.stdout + ran.stderr
    assert ran.stdout.split()[2] == "spot(ratio=0.4)"


def test_another_distribution_offers_the_same_file_by_entry_point(tmp_path: Path) -> None:
    (tmp_path / "spot.py").write_text(strategy_source(), encoding="utf-8")
    record = tmp_path / "spotted-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: spotted\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[workbench.masks]\nspot = spot:Spot\n")
    command = ("draw", "spot", "--grid", "6x6", "--count", "3", "--out", str(tmp_path / "m.npz"))
    ran = subprocess.run(
        [sys.executable, "-m", "workbench", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stderr
    hidden = np.load(tmp_path / "m.npz")["hidden"]
    assert (hidden.reshape(3, -1).sum(axis=1) == 14).all()  # floor(0.4 * 36 + 0.5)


def test_the_readme_tells_what_the_card_tells() -> None:
    card = json.loads((ROOT / "assets" / "checkpoints" / "default.json").read_text())
    header = next(line for line in README.splitlines() if line.startswith("| hidden | model |"))
    titles = {"model": "model", "mean colour": "mean", "nearest": "nearest", "Telea": "telea"}
    names = [titles.get(cell, cell) for cell in cells(header)[1:6]]
    assert set(names) == set(card["measured"]["rows"][0]["errors"])
    photos = len(card["measured"]["photos"])
    for row in card["measured"]["rows"]:
        start = f"| {row['ratio']:.0%} |"
        line = next(each for each in README.splitlines() if each.startswith(start))
        told = [cell.strip("*") for cell in cells(line)]
        assert told[1:6] == [f"{row['errors'][name]:.4f}" for name in names]
        better = round(row["better"]["harmonic"] * photos)
        assert told[6] == f"{better} of {photos} photos"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split("|")]
