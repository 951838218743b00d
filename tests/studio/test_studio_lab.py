"""The studio inline in JupyterLab: `studio()` in a cell shows it, and it is used there."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.studio.conftest import gone

ROOT = Path(__file__).parents[2]
CELLS = [
    'from app.studio import studio\nshown = studio("coffee", "random(ratio=0.5)", seed=2)\nshown',
    "result = shown.client().predict(\n"
    '    photo="coffee", mask="random(ratio=0.5)", seed=2, api_name="/reconstruct")\n'
    'print(result["metrics"]["pixels"], studio().url == shown.url)',
]


def notebook() -> str:
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**blank, "id": f"c{at}", "source": text} for at, text in enumerate(CELLS)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A JupyterLab of this test's own: the notebook's address and the server's process id."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "studio.ipynb").write_text(notebook())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    words = ["lab", "--no-browser", "--allow-root", f"--port={port}", f"--notebook-dir={folder}"]
    words += ["--IdentityProvider.token=secret", "--ServerApp.port_retries=0"]
    private = {
        name: str(tmp_path / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    with (tmp_path / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter", *words],
            env={**os.environ, **private, "PYTHONPATH": str(ROOT)},
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/api?token=secret", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "lab.log").read_text()
            time.sleep(0.1)
    yield f"{url}/lab/tree/studio.ipynb?reset&token=secret", process.pid
    process.terminate()
    process.wait(30)


def studios(pid: int) -> list[psutil.Process]:
    """The studios among a process's descendants."""
    found = psutil.Process(pid).children(recursive=True)
    return [each for each in found if "app.studio.server" in each.cmdline()]


def test_the_studio_runs_below_a_cell(page: Page, lab: tuple[str, int]) -> None:
    address, pid = lab
    page.set_viewport_size({"width": 1400, "height": 1100})
    page.goto(address)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)
    page.get_by_text("Run", exact=True).click()
    page.locator("[data-command='runmenu:run-all']").click()
    frame = page.frame_locator("iframe[title='Mask workbench studio']")
    drawn = frame.locator(".wb[data-drawn]")
    expect(drawn).to_have_attribute("data-mark", re.compile("coffee.*seed=2"), timeout=90_000)
    count = frame.get_by_test_id("painter-count")
    expect(count).to_contain_text("72 of 144 patches hidden")
    mse = frame.locator("[data-number=mse]")
    before = mse.inner_text()
    canvas = frame.locator(".pp-mask")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    height = box["y"] + 0.46 * box["height"]
    page.mouse.move(box["x"] + 0.05 * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.95 * box["width"], height, steps=12)
    page.mouse.up()
    expect(drawn).to_have_attribute("data-mark", re.compile(r"painted\(hide=\"60-71\""))
    expect(mse).not_to_have_text(before)
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text(
        "10368 True", timeout=30_000
    )  # 72 patches of 144 pixels, and one studio a kernel
    (child,) = studios(pid)
    ports = {each.laddr for each in child.net_connections() if each.status == "LISTEN"}
    assert {each.ip for each in ports} == {"127.0.0.1"}
    page.get_by_text("Kernel", exact=True).click()
    page.locator("[data-command='kernelmenu:shutdown']").click()
    assert gone(child.pid, 15), "the studio outlived its kernel"
