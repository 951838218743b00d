"""What the studio costs the dashboard, and how fast it is itself.

Two dashboards run at once, one alone and one with its studio beside it, and take turns: a painted
patch -> the new picture drawn, alone, beside an open studio, and beside a studio that is being
used; the same in the studio; a call of its API; and the memory of each process.

Run: python benchmarks/studio.py [--rounds 30]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from typing import Any

import psutil
from browser import WAIT, WATCH, row  # the script beside this one
from gradio_client import Client
from playwright.sync_api import Page, sync_playwright

from workbench import chromium


def start(home: str, *words: str) -> tuple["subprocess.Popen[str]", str]:
    """Start a dashboard; returns its process and address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "app", "--no-browser", *words],
        env={**os.environ, "WORKBENCH_HOME": home}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    return process, next(hit[0] for line in lines if (hit := re.search(r"http://\S+", line)))


def studio_address(dashboard: str) -> str:
    """Where the dashboard's link leads, once its studio answers."""
    while True:
        with urllib.request.urlopen(f"{dashboard}/api/studio") as answer:
            if not answer.url.startswith(dashboard):
                return answer.url.rstrip("/")
        time.sleep(0.2)


def studio_process(parent: int) -> psutil.Process:
    """The studio among a process's children."""
    children = psutil.Process(parent).children()
    return next(each for each in children if "app.studio.server" in each.cmdline())


def megabytes(process: psutil.Process) -> float:
    """Resident memory in MB."""
    return process.memory_info().rss / 2**20


def opened(browser: Any, address: str) -> Page:
    """A page that shows its scene and tells when a picture is drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_selector(".wb[data-drawn]", timeout=180_000)
    page.evaluate(WATCH)
    return page


def stroke(page: Page, step: int, shift: int) -> float:
    """Paint one patch, each once, in every other row; milliseconds until its picture is drawn."""
    box = page.locator(".pp-mask").bounding_box()
    assert box is not None
    x, y = (step % 10 + 0.6) / 12, (step // 10 % 6 * 2 + shift + 0.6) / 12
    page.bring_to_front()
    seen = page.evaluate("window.marks.length")
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    return float(page.evaluate(WAIT, seen))


def in_turns(pages: dict[str, Page], rounds: int, shift: int) -> None:
    """Print one row a page; strokes alternate between the pages."""
    found: dict[str, list[float]] = {name: [] for name in pages}
    for step in range(rounds + 2):
        for name, page in pages.items():
            took = stroke(page, step, shift)
            if step > 1:  # the first pictures pay for what is only made once
                found[name].append(took)
            page.wait_for_timeout(60)
    for name, milliseconds in found.items():
        row(name, milliseconds)


def busy(address: str, ended: threading.Event) -> None:
    """Use the studio without a pause."""
    client = Client(address, verbose=False, analytics_enabled=False)
    seed = 0
    while not ended.is_set():
        client.predict(seed=seed, api_name="/reconstruct")
        seed += 1


def calls(address: str, rounds: int) -> None:
    """Print how long a call of the API takes."""
    client = Client(address, verbose=False, analytics_enabled=False)
    for name, given in (("/reconstruct", {"photo": "coffee"}), ("/draw", {"count": 64})):
        found = []
        for seed in range(rounds):
            begin = time.perf_counter()
            client.predict(seed=seed, **given, api_name=name)
            found.append(1000 * (time.perf_counter() - begin))
        row(f"API {name}", found[2:])


def measure(browser: Any, alone: str, beside: str, parent: int, rounds: int) -> None:
    """Everything, in one run."""
    pages = {"dashboard alone": opened(browser, alone), "beside a studio": opened(browser, beside)}
    begin = time.perf_counter()
    address = studio_address(beside)
    print(f"click -> studio answers           {time.perf_counter() - begin:8.1f} s")
    child = studio_process(parent)
    before = megabytes(child)
    begin = time.perf_counter()
    page = opened(browser, address)
    print(f"studio's page -> first picture    {time.perf_counter() - begin:8.1f} s")
    in_turns({**pages, "studio": page}, rounds, 0)
    ended = threading.Event()
    user = threading.Thread(target=busy, args=(address, ended), daemon=True)
    user.start()
    time.sleep(1)
    in_turns({"alone, a studio busy elsewhere": pages["dashboard alone"],
              "beside its busy studio": pages["beside a studio"]}, rounds, 1)  # fmt: skip
    ended.set()
    user.join()
    calls(address, rounds)
    print(f"{'memory of the studio':<34}{before:8.0f} MB waiting, {megabytes(child):.0f} MB used")
    print(f"{'memory of the dashboard':<34}{megabytes(psutil.Process(parent)):8.0f} MB")


def main() -> None:
    """Start two dashboards and a browser, measure, stop all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    found = chromium.find()
    if found is None:
        sys.exit("No Chromium that starts: run `make browser`, or set CHROMIUM=/path/to/it.")
    with tempfile.TemporaryDirectory() as home:
        servers = [start(home, "--no-studio"), start(home, "--studio")]
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=found[0], args=["--no-sandbox", "--disable-gpu"]
                )
                (_, alone), (process, beside) = servers
                measure(browser, alone, beside, process.pid, rounds)
                browser.close()
        finally:
            for process, _ in servers:
                process.terminate()
            for process, _ in servers:
                process.wait(10)


if __name__ == "__main__":
    main()
