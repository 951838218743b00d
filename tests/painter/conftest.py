"""A plain page that hosts the painter, and hands for it."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from workbench.painter import painter_js

PAGE = """<!doctype html><meta name="viewport" content="width=device-width, initial-scale=1">
<body style="margin:12px"><div id="root"></div><script type="module">
%s
window.commits = [];
window.mount = () => {
  window.painter?.destroy();
  const root = document.getElementById("root");
  window.painter = createPatchPainter(root, (edit) => window.commits.push(edit));
  window.panel = createPicturePanel(window.painter.work);
};
window.mount();
</script></body>"""


def picture_uri(height=96, width=96, seed=0, kind="JPEG"):
    """A smooth random picture as a data URI."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR).save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


class Hands:
    """Mouse, keys and eyes on one painter."""

    def __init__(self, page):
        self.page = page
        self.grid = (12, 12)

    def mount(self, grid=(12, 12), image=None, **state):
        rows, cols = self.grid = grid
        empty = "0" * (rows * cols)
        image = image or picture_uri(24 * rows, 24 * cols)
        blank = {"base": empty, "hide": empty, "show": empty, "threshold": 0.5, "seq": 0}
        self.page.evaluate("window.mount(); window.commits.length = 0")
        self.update(grid=list(grid), image=image, label="test picture", **(blank | state))
        self.page.wait_for_function("document.querySelector('.pp-picture').naturalWidth > 0")
        return self

    def update(self, **state):
        self.page.evaluate("state => window.painter.update(state)", state)

    def control(self, name):
        return self.page.get_by_test_id(f"painter-{name}")

    @property
    def canvas(self):
        return self.page.get_by_test_id("patch-canvas")

    def spot(self, row, col):
        """Page coordinates of a place in patches: (0.5, 0.5) is the first patch's centre."""
        self.canvas.scroll_into_view_if_needed()
        box = self.canvas.bounding_box()
        rows, cols = self.grid
        return box["x"] + col * box["width"] / cols, box["y"] + row * box["height"] / rows

    def press(self, row, col):
        self.page.mouse.move(*self.spot(row, col))
        self.page.mouse.down()

    def move(self, row, col, steps=6):
        self.page.mouse.move(*self.spot(row, col), steps=steps)

    def release(self):
        self.page.mouse.up()

    def drag(self, start, *others, steps=6):
        self.press(*start)
        for place in others:
            self.move(*place, steps=steps)
        self.release()

    def slide(self, name, value):
        """Move a slider as a user does: input while it moves, change when it is let go."""
        self.control(name).evaluate(
            "(node, value) => { node.value = value; node.dispatchEvent(new Event('input'));"
            " node.dispatchEvent(new Event('change')); }",
            value,
        )

    @property
    def commits(self):
        return self.page.evaluate("window.commits")

    @property
    def last(self):
        return self.commits[-1]

    @property
    def snapshot(self):
        return self.page.evaluate("window.painter.snapshot()")

    @property
    def hidden(self):
        """The patches seen hidden, as a set of (row, col)."""
        return cells(self.snapshot["hidden"], self.grid)

    def drawn(self, row, col):
        """Whether the middle of a patch is covered on the canvas itself."""
        rows, cols = self.grid
        return self.canvas.evaluate(
            "(canvas, [x, y]) => new Promise(done => requestAnimationFrame(() => "
            "requestAnimationFrame(() => done(canvas.getContext('2d').getImageData("
            "x * canvas.width, y * canvas.height, 1, 1).data[3] > 100))))",
            [(col + 0.5) / cols, (row + 0.5) / rows],
        )


def cells(bits, grid):
    """Bits as a set of (row, col)."""
    return {divmod(at, grid[1]) for at, bit in enumerate(bits) if bit == "1"}


def bits(patches, grid=(12, 12)):
    """A set of (row, col) as bits."""
    return "".join(
        "01"[(at // grid[1], at % grid[1]) in patches] for at in range(grid[0] * grid[1])
    )


@pytest.fixture
def hands(page):
    """A painter on a plain page; a script error or console complaint fails the test."""
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    page.set_content(PAGE % painter_js())
    yield Hands(page)
    assert complaints == []


@pytest.fixture
def tools():
    """Functions that the tests share."""
    return type("Tools", (), {"cells": cells, "bits": bits, "picture_uri": picture_uri})
