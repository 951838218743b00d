"""JupyterLab as `make lab` opens it, in a real browser: the mouse paints and Python hears it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from notebooks.build import HERE

NAME = "01_what_is_a_mask.ipynb"


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab of this test's own on a copy of the notebooks; gives the notebook's address."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(HERE / NAME, folder)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = (tmp_path / "lab.log").open("w+")
    words = ["lab", "--no-browser", "--allow-root", f"--port={port}", f"--notebook-dir={folder}"]
    words += ["--IdentityProvider.token=secret", "--ServerApp.port_retries=0"]
    private = {
        name: str(tmp_path / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", *words],
        env={**os.environ, **private, "PYTHONPATH": str(HERE.parent), "WORKBENCH_TINY": "1"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/api?token=secret", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "lab.log").read_text()
            time.sleep(0.1)
    yield f"{url}/lab/tree/{NAME}?reset&token=secret"
    process.terminate()
    process.wait(30)
    log.close()


def drag(page, row, first, last):
    canvas = page.get_by_test_id("patch-canvas")
    box = canvas.bounding_box()
    y = box["y"] + (row + 0.5) * box["height"] / 12
    x, x2 = (box["x"] + (col + 0.5) * box["width"] / 12 for col in (first, last))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x2, y, steps=8)
    page.mouse.up()


def hidden_now(page):
    return int(page.get_by_test_id("painter-count").text_content().split()[0])


def run_cell(page, source):
    """Run one cell by hand and give its output's text."""
    cell = page.locator(".jp-CodeCell").filter(has_text=re.compile(rf"^\s*\[\d+\]:\s*{source}"))
    cell.scroll_into_view_if_needed()
    before = cell.locator(".jp-InputPrompt").text_content()
    cell.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt").first).not_to_have_text(before)
    expect(cell.locator(".jp-InputPrompt").first).to_have_text(re.compile(r"\[\d+\]:"))
    return cell.locator(".jp-OutputArea-output").first.text_content()


@pytest.mark.parametrize("width", [1280])
def test_the_painter_in_jupyterlab(page, lab, width):
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(lab)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60000)
    # The indicator in the toolbar says "idle" before there is a kernel; the status bar does not.
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60000)
    page.get_by_text("Run", exact=True).click()
    page.locator("[data-command='runmenu:run-all']").click()
    count = page.get_by_test_id("painter-count")
    expect(count).to_contain_text("of 144 patches hidden", timeout=120000)
    page.get_by_test_id("patch-painter").scroll_into_view_if_needed()
    page.get_by_test_id("patch-canvas").scroll_into_view_if_needed()
    assert hidden_now(page) == 72
    picture = page.get_by_test_id("picture-paste-back").locator("img")
    before = picture.get_attribute("src")
    drag(page, 5, 0, 11)
    expect(page.get_by_test_id("picture-masked")).not_to_contain_text("72 of 144", timeout=20000)
    now = hidden_now(page)
    assert now > 72
    expect(page.get_by_test_id("picture-masked")).to_contain_text(f"{now} of 144 hidden")
    expect(picture).not_to_have_attribute("src", before)
    cells = page.locator(".jp-Cell").count()
    for key in "xbx":
        page.keyboard.press(key)
    expect(page.get_by_test_id("painter-eraser")).to_have_attribute("aria-pressed", "true")
    drag(page, 6, 0, 11)
    masked = page.get_by_test_id("picture-masked")
    expect(masked).not_to_contain_text(f"{now} of 144", timeout=20000)
    page.keyboard.press("Control+z")
    expect(masked).to_contain_text(f"{now} of 144 hidden", timeout=20000)
    assert page.locator(".jp-Cell").count() == cells, "JupyterLab cut or added a cell"
    recipe = run_cell(page, "painter.recipe")
    assert 'painted(hide="60-71", over=random(ratio=0.5))' in recipe
