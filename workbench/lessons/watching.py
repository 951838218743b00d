"""Runs while they train, in a notebook: progress, curve and pictures, and a still picture after."""

import base64
import io
import json
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from IPython.display import display
from PIL import Image, ImageDraw, ImageFont

from workbench.errors import BadInput
from workbench.lessons.boards import flat_png
from workbench.notebook import Pixels
from workbench.plots.lines import line_chart
from workbench.runs.following import Metrics
from workbench.runs.queue import ensure_runner
from workbench.runs.store import ENDED, Run
from workbench.runs.telling import told

LOOK_EVERY = 0.3
CURVE = (420, 190)
CARD, EDGE = 440, 10
TITLES = ("original", "seen", "reconstruction")  # the order in which they are read
WENT_ON = "You stopped watching; the run goes on in its own process. Watch again any time."


def _script() -> str:
    here = resources.files(__package__ or "")
    style, script = (
        (here / name).read_text(encoding="utf-8") for name in ("watch.css", "watch.js")
    )
    return f"const RUN_WATCH_CSS = {json.dumps(style)};\n{script}"


class Watch(anywidget.AnyWidget):
    """Cards of runs: state, progress, rate, time left, curve, and their pictures by step.

    `look` reads the folders of the runs once. Where no kernel runs, a picture of the cards stands
    in the widget's place.
    """

    _esm = _script()
    _view_name: str | None

    cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    frames = traitlets.List(traitlets.List(traitlets.Dict())).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(self, runs: Sequence[Run]) -> None:
        """Show `runs` as they are now.

        Raises:
            BadInput: no runs.
        """
        if not runs:
            raise BadInput("there is no run to watch; give one, as in watch(run).")
        self.runs = tuple(runs)
        self._metrics = [Metrics(run.path) for run in runs]
        self._files: list[list[Path]] = [[] for _ in runs]
        super().__init__(frames=[[] for _ in runs])
        self.look()

    def look(self) -> list[dict[str, Any]]:
        """Read the folders, show what is new, and return the states."""
        states = [run.state() for run in self.runs]
        with self.hold_sync():
            self.cards = [
                card(run, state, curve(each))
                for run, state, each in zip(self.runs, states, self._metrics, strict=True)
            ]
            files = [[path for _, _, path in run.pictures()] for run in self.runs]
            if files != self._files:
                self._files = files
                self.frames = [frames(run) for run in self.runs]
        return states

    def static_picture(self) -> Image.Image:
        """The cards as one picture, at most two beside each other."""
        parts = [
            drawn(news, frames[-1]["strips"] if frames else [])
            for news, frames in zip(self.cards, self.frames, strict=True)
        ]
        across = min(2, len(parts))
        rows = [parts[at : at + across] for at in range(0, len(parts), across)]
        heights = [max(part.height for part in row) for row in rows]
        whole = Image.new("RGB", (CARD * across, sum(heights)), "white")
        top = 0
        for row, height in zip(rows, heights, strict=True):
            for at, part in enumerate(row):
                whole.paste(part, (at * CARD, top))
            top += height
        return whole

    def __repr__(self) -> str:
        """A line a run."""
        return "\n".join(
            f"{each['title']}: {each['state']}, {each['facts']}" for each in self.cards
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and behind it the static picture for exports."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        png = base64.b64encode(flat_png(self.static_picture())).decode()
        return {**data, "image/png": png}, metadata


def watch(*runs: Run, until: int | None = None) -> None:
    """Show runs while they train; returns when all have ended, or have made `until` steps.

    Interrupting the cell ends the watching and not the runs: each trains in a process of its own.

    Raises:
        BadInput: no runs.
    """
    widget = Watch(runs)
    shown = display(widget, display_id=True)
    try:
        while not all(_enough(state, until) for state in widget.look()):
            ensure_runner(runs[0].path.parent)
            time.sleep(LOOK_EVERY)
    except KeyboardInterrupt:
        widget.note = WENT_ON
    if shown is not None:  # what is kept of it is the last picture, not the first
        shown.update(widget)


def _enough(state: dict[str, Any], until: int | None) -> bool:
    if state["state"] in ENDED:
        return True
    going = state["state"] in ("running", "stopping")
    return going and until is not None and int(state.get("step") or 0) >= until


def title(run: Run) -> str:
    """What people call a run, else its objective and mask."""
    record = run.record
    mask = f" under {record['mask']}" if record.get("mask") else ""
    return str(record.get("name") or f"{record['objective']}{mask}")


def card(run: Run, state: dict[str, Any], points: list[tuple[int, float]]) -> dict[str, Any]:
    """What one card says; all of it plain text and data URIs."""
    step, steps = int(state.get("step") or 0), int(state.get("steps") or 1)
    facts = [f"step {step:,} of {steps:,}"]
    if state.get("rate"):
        facts.append(f"{state['rate']:,.0f} pictures/s")
    if state.get("seconds_left") and state["state"] not in ENDED:
        facts.append(f"{span(state['seconds_left'])} left")
    if state.get("memory"):
        facts.append(f"{state['memory'] / 2**20:,.0f} MB")
    said = f"loss {points[-1][1]:.4g} after step {points[-1][0]}" if points else "no loss yet"
    line = [step for step, _ in points], [loss for _, loss in points]
    return {
        "title": title(run), "state": state["state"], "share": min(1.0, step / max(1, steps)),
        "facts": ", ".join(facts), "alert": told(state), "told": said,
        "curve": uri(line_chart({"": line}, "step", said, size=CURVE))
        if len(points) > 1 else "",
    }  # fmt: skip


def curve(metrics: Metrics) -> list[tuple[int, float]]:
    """The logged losses, (step, loss)."""
    return [
        (int(row["step"]), float(row["loss"]))
        for row in metrics.read()
        if isinstance(row.get("loss"), int | float)
    ]


def frames(run: Run) -> list[dict[str, Any]]:
    """The pictures of a run by step: `step` and `strips`, (title, data URI) from top to bottom."""
    found: dict[int, dict[str, Path]] = {}
    for step, name, path in run.pictures():
        found.setdefault(step, {})[name] = path
    return [
        {
            "step": step,
            "strips": [
                {"title": caption(name, step), "src": strip_uri(files[name])}
                for name in ordered(files)
            ],
        }
        for step, files in found.items()
    ]


def ordered(names: Iterable[str]) -> list[str]:
    """Titles of pictures as they are read: what there was, what was seen, what was said."""
    return sorted(names, key=lambda name: (TITLES.index(name) if name in TITLES else 9, name))


def caption(name: str, step: int) -> str:
    """The title of a strip; only what the model says changes with the step."""
    return name if name in TITLES[:2] else f"{name} after step {step}"


@lru_cache(512)
def strip_uri(path: Path) -> str:
    """A strip as a data URI; a run writes each once."""
    return uri(open_strip(path))


def open_strip(path: Path) -> Pixels:
    """A strip of pictures as a run wrote it, uint8 [h, w, 3]."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def uri(pixels: Pixels) -> str:
    """Uint8 [h, w, 3] as a small PNG in a data URI."""
    return f"data:image/png;base64,{base64.b64encode(flat_png(Image.fromarray(pixels))).decode()}"


def span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def drawn(news: dict[str, Any], strips: list[dict[str, str]]) -> Image.Image:
    """One card as a picture."""
    width = CARD - 2 * EDGE
    pictures = [("", news["curve"])] * bool(news["curve"])
    pictures += [(strip["title"], strip["src"]) for strip in strips]
    parts: list[Image.Image] = []
    for name, source in pictures:
        part = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")
        part = part.resize((width, round(part.height * width / part.width)))
        parts += [*[_line(name, width)] * bool(name), part]
    facts = _line(f"{news['state']}: {news['facts']}", width)
    parts = [_line(news["title"], width, "#1b1e24"), _bar(news, width), facts, *parts]
    whole = Image.new("RGB", (CARD, sum(part.height + 4 for part in parts) + 2 * EDGE), "white")
    top = EDGE
    for part in parts:
        whole.paste(part, (EDGE, top))
        top += part.height + 4
    return whole


def _line(text: str, width: int, ink: str = "#5b616e") -> Image.Image:
    line = Image.new("RGB", (width, 18), "white")
    font = ImageFont.load_default(13)
    while len(text) > 4 and font.getlength(text) > width:
        text = f"{text[:-4]}..."
    ImageDraw.Draw(line).text((0, 1), text, ink, font)
    return line


def _bar(news: dict[str, Any], width: int) -> Image.Image:
    bar = Image.new("RGB", (width, 8), "#d9dcda")
    bar.paste("#0f6f68", (0, 0, round(width * news["share"]), 8))
    return bar
