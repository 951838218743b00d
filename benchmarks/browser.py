"""Click or slider -> new picture drawn, in a real browser; blank frames; memory.

Starts the app on the bundled model, drives it with Chromium, and measures inside the page: from the
event that changes a setting to the first frame after all pictures of the new scene are decoded.
With `--inside` instead the view Inside of timm's ViT-Tiny at 224 pixels: from pressing "Head off"
or "Skip block" to the first frame after all maps and scores of the changed network are drawn.

Run: python benchmarks/browser.py [--pictures 1000 | --inside]
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright

from workbench import chromium

ROUNDS = 42
INSIDE = "/inside?photo=coffee&network=timm:vit_tiny_patch16_224"

WATCH = """() => {
  window.marks = [];
  window.addEventListener("workbench:drawn", (event) => requestAnimationFrame(
    () => window.marks.push([performance.now(), event.detail])));
  window.addEventListener("pointerup", () => { window.released = performance.now(); }, true);
}"""

SLIDE = """async (slider, value) => {
  const seen = window.marks.length, begin = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event("input", {bubbles: true}));
  slider.dispatchEvent(new Event("change", {bubbles: true}));
  const wanted = `ratio=${value})`;
  for (;;) {
    const mark = window.marks.slice(seen).find((each) => each[1].includes(wanted));
    if (mark) return mark[0] - begin;
    if (performance.now() - begin > 30000) throw new Error("no picture");
    await new Promise((go) => setTimeout(go, 1));
  }
}"""

WAIT = """async (seen) => {
  for (let turn = 0; turn < 10000; turn += 1) {
    if (window.marks.length > seen) return window.marks[seen][0] - window.released;
    await new Promise((go) => setTimeout(go, 2));
  }
  throw new Error("no picture");
}"""

# A frame is blank when a picture of the page holds nothing decoded.
FRAMES = """() => {
  const pictures = [];
  const walk = (root) => root.querySelectorAll("*").forEach((node) => {
    if (node.matches(".tiles img")) pictures.push(node);
    if (node.shadowRoot) walk(node.shadowRoot);
  });
  walk(document);
  window.frames_seen = window.frames_blank = 0;
  const look = () => {
    window.frames_seen += 1;
    if (pictures.some((each) => !each.isConnected || !each.complete || !each.naturalWidth))
      window.frames_blank += 1;
    requestAnimationFrame(look);
  };
  look();
}"""

SWITCH = """async (root, [layer, button, change]) => {
  const until = async (done) => {
    const begin = performance.now();
    while (!done()) {
      if (performance.now() - begin > 30000) throw new Error(`still ${root.dataset.mark}`);
      await new Promise((go) => setTimeout(go, 1));
    }
  };
  const pressed = (start) => [...root.querySelectorAll("button")]
    .find((each) => each.textContent.startsWith(start)).click();
  root.querySelector(`[data-cell="${layer}-0"]`).click();
  await until(() => root.dataset.mark.includes(`layer=${layer}, head=0`));
  const begin = performance.now();
  pressed(button);
  await until(() => root.dataset.mark.includes(change));
  await new Promise((go) => requestAnimationFrame(go));
  const spent = performance.now() - begin;
  pressed("Undo");
  await until(() => !root.dataset.mark.includes(change));
  root.querySelector(`[data-cell="${layer}-0"]`).click();
  await until(() => !root.dataset.mark.includes(`layer=${layer}, head=0`));
  return spent;
}"""

DRAG = """async (slider, count) => {
  const goal = window.marks.length + count;
  for (let step = 0; window.marks.length < goal; step += 1) {
    slider.value = 0.2 + 0.05 * (step % 13);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    await new Promise((go) => setTimeout(go, 16));
  }
  slider.dispatchEvent(new Event("change", {bubbles: true}));
}"""


def row(name: str, milliseconds: list[float]) -> None:
    """Print median and 95th percentile of one way to change a setting."""
    ordered = sorted(milliseconds)
    tail = ordered[int(0.95 * (len(ordered) - 1))]
    print(f"{name:<34}{statistics.median(ordered):8.0f} ms median{tail:8.0f} ms p95")


def slides(page: Page) -> list[float]:
    slider = page.locator('[data-knob=ratio] input[type="range"]')
    values = [round(0.2 + 0.05 * (step * 5 % 13), 2) for step in range(ROUNDS)]
    found = []
    for value in values:
        found.append(float(slider.evaluate(SLIDE, value)))
        page.wait_for_timeout(100)
    return found


def clicks(page: Page) -> list[float]:
    box = page.locator(".pp-mask").bounding_box()
    assert box is not None
    found = []
    for step in range(ROUNDS):
        x, y = (step % 10 + 0.6) / 12, (step // 10 * 2 + 1.6) / 12
        seen = page.evaluate("window.marks.length")
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        found.append(float(page.evaluate(WAIT, seen)))
        page.wait_for_timeout(100)
    return found


def memory(server: psutil.Process, session: CDPSession) -> dict[str, float]:
    """Resident memory of the server and live JavaScript heap of the page, in MB."""
    session.send("HeapProfiler.collectGarbage")
    metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    values = {each["name"]: float(each["value"]) for each in metrics}
    return {
        "server": server.memory_info().rss / 2**20,
        "page": values["JSHeapUsedSize"] / 2**20,
        "nodes": values["Nodes"],
    }


def measure(page: Page, server: psutil.Process, count: int) -> None:
    page.wait_for_selector(".wb[data-drawn]", timeout=180_000)
    page.evaluate(WATCH)
    slides(page)  # the first pictures pay for what is only made once
    row("slider -> picture", slides(page))
    row("painted patch -> picture", clicks(page))
    page.evaluate(FRAMES)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    slider = page.locator('[data-knob=ratio] input[type="range"]')
    slider.evaluate(DRAG, max(count // 10, 1))
    before, begin = memory(server, session), time.perf_counter()
    slider.evaluate(DRAG, count)
    seconds, after = time.perf_counter() - begin, memory(server, session)
    frames = page.evaluate("[window.frames_blank, window.frames_seen]")
    print(f"while dragging                    {count / seconds:8.1f} pictures a second")
    print(f"blank frames                      {frames[0]:8d} of {frames[1]}")
    for name, unit in (("server", "MB"), ("page", "MB"), ("nodes", "DOM nodes")):
        print(f"{name:<34}{before[name]:8.0f} -> {after[name]:.0f} {unit} over {count} pictures")


def switches(page: Page) -> None:
    """Heads and blocks of the view Inside, each switched off where nothing was."""
    root = page.locator(".wb[data-mark*='InsideSpec']")
    root.wait_for(timeout=180_000)
    page.wait_for_selector("[data-cell='11-2']")
    changes = {
        "Head": "heads_off(layer={}, heads=[0])",
        "Skip": "skip_blocks(layers=[{}])",
    }
    for name, change in changes.items():
        found = [
            float(root.evaluate(SWITCH, [layer, name, change.format(layer)])) for layer in range(12)
        ]
        row(f"{name.lower()} switched off -> all maps", found[1:])


def main() -> None:
    """Start the app and a browser, measure, stop both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--inside", action="store_true")
    given = parser.parse_args()
    found = chromium.find()
    if found is None:
        sys.exit("No Chromium that starts: run `make browser`, or set CHROMIUM=/path/to/it.")
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench", "app", "--no-browser"],
            env={**os.environ, "WORKBENCH_HOME": home}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            address = next(hit[0] for line in lines if (hit := re.search(r"http://\S+", line)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=found[0], args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address.rstrip("/") + INSIDE if given.inside else address)
                if given.inside:
                    switches(page)
                else:
                    measure(page, psutil.Process(process.pid), given.pictures)
                browser.close()
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    main()
