"""What a visitor of the dashboard does and sees, for tests in a real browser."""

import io
import json
import re
import urllib.request
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

LAPTOP = {"width": 1280, "height": 900}
PHONE = {"width": 380, "height": 800}
SLOW = 120_000  # milliseconds; a shared machine may have to load the model first
expect.set_options(timeout=30_000)  # what needs no model has 5 s otherwise, too few on a busy one


# Runs before the page's own scripts, so that its words stand before theirs.
LEAVING, ARRIVED = "the page is being left", "another page is here"
TELL = f"""if (self === top) {{
  console.debug("{ARRIVED}");
  addEventListener("beforeunload", () => console.debug("{LEAVING}"));
}}"""


def watch(page: Page, url: str, complaints: list[str]) -> None:
    """Collect console errors, failed requests, and requests that would leave this machine.

    What a page says while it is left is forgiven once it is gone: Gradio ends its stream then, and
    calls an answer that is still on its way a broken connection.
    """
    local = (url, url.replace("http", "ws"), "data:", "blob:")
    leaving: list[str] | None = None

    def complain(said: str) -> None:
        complaints.append(said)
        if leaving is not None:
            leaving.append(said)

    def console(message: Any) -> None:
        nonlocal leaving
        if message.text == LEAVING:
            leaving = []
        elif message.text == ARRIVED:
            for said in leaving or ():
                complaints.remove(said)
            leaving = None
        # Streamlit looks for its server below the page's own address first, and then finds it.
        looked = "/_stcore/" in message.location.get("url", "") and "404" in message.text
        if message.type == "error" and not looked:
            complain(f"console: {message.text}")

    page.add_init_script(TELL)
    page.on("console", console)
    page.on("pageerror", lambda error: complain(f"page: {error}"))
    page.on(
        "request",
        lambda request: request.url.startswith(local) or complaints.append(f"left: {request.url}"),
    )


class Line:
    """What a page sends to the server, to be lost (the next one) or held back (all, for a time)."""

    def __init__(self, page: Page) -> None:
        self.lose, self.hold = 0, False
        self.lost: list[Any] = []
        self.kept: list[Any] = []
        page.route_web_socket(re.compile("/_stcore/stream"), self._between)

    def _between(self, socket: Any) -> None:
        self.server = socket.connect_to_server()
        socket.on_message(self._out)

    def _out(self, message: Any) -> None:
        if self.lose:
            self.lose -= 1
            self.lost.append(message)
        elif self.hold:
            self.kept.append(message)
        else:
            self.server.send(message)

    def release(self) -> None:
        self.hold = False
        while self.kept:
            self.server.send(self.kept.pop(0))


def drawn(page: Page, mark: str = "SceneSpec") -> str:
    """Wait until a picture of a scene that holds `mark` is drawn; returns the scene's mark."""
    results = page.locator(".wb[data-drawn]")
    expect(results).to_have_attribute("data-mark", re.compile(re.escape(mark)), timeout=SLOW)
    return str(results.get_attribute("data-mark"))


def numbers(page: Page) -> dict[str, str]:
    names = ("mse", "psnr", "ssim", "counts")
    return {name: page.locator(f"[data-number={name}]").inner_text() for name in names}


def pictures(page: Page) -> dict[str, str | None]:
    names = ("original", "masked", "reconstruction", "composite")
    return {name: page.locator(f'.tiles img[alt="{name}"]').get_attribute("src") for name in names}


def knob(page: Page, name: str, kind: str = "range") -> Locator:
    return page.locator(f'[data-knob={name}] input[type="{kind}"]')


def paint(page: Page, *points: tuple[float, float]) -> None:
    """Draw one stroke through points given as shares of the picture."""
    canvas = page.locator(".pp-mask")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


def png(seed: int = 0, side: int = 200) -> bytes:
    """A colourful photo-like PNG that nobody else has."""
    rows, cols = np.mgrid[0:side, 0:side] / side
    waves = np.random.default_rng(seed).uniform(2, 9, (3, 2))
    planes = [np.sin(a * rows * 3 + b * cols * 2) for a, b in waves]
    pixels = ((np.stack(planes, -1) + 1) * 127).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def upload(page: Page, content: bytes, name: str = "photo.png") -> None:
    field = page.get_by_label("Upload a photo")
    field.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def health(page: Page) -> dict[str, Any]:
    address = re.match(r"http://[^/]+", page.url)
    assert address is not None
    with urllib.request.urlopen(f"{address[0]}/api/health") as answer:
        return json.load(answer)


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))
