"""What a trainer writes into its folder while it trains: state, metrics, alerts, pictures."""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from workbench.runs.identity import me, start_mark
from workbench.runs.store import ALERTS, METRICS, PICTURE_NOTE, PICTURES, JsonLines, Run

STATE_EVERY, PRINT_EVERY = 1.0, 10.0
SHOWN = 8
SMALL = 96  # pictures below this side are enlarged by whole factors


class Writer:
    """The one that writes; only one of the processes of a team is `active`.

    `leader` is the process that stands for the run, its own where None.
    """

    def __init__(
        self,
        run: Run,
        steps: int,
        batch: int,
        device: torch.device,
        active: bool = True,
        leader: int | None = None,
    ) -> None:
        self.active = active
        self.run, self.steps, self.batch, self.device = run, steps, batch, device
        self.metrics = JsonLines(run.path / METRICS) if active else None
        self.process = psutil.Process()
        self.pid, self.mark = me() if leader is None else (leader, start_mark(leader) or "")
        self.lock = threading.Lock()  # the watchdog's thread writes too
        self.said = self.started = time.monotonic()
        self.printed = 0.0
        self.first: int | None = None
        self.facts: dict[str, Any] = {}
        # Held free for the last words on a full disk.
        self.ballast = run.path / ".ballast"
        if active:
            self.ballast.write_bytes(b"\0" * 65536)

    def state(self, **changes: Any) -> None:
        """Change the state now."""
        if not self.active:
            return
        with self.lock:
            self.run.set_state(pid=self.pid, mark=self.mark, updated=time.time(), **changes)

    def resumed(self, step: int) -> None:
        """Note that training goes on from a checkpoint: later lines supersede earlier ones."""
        self.log({"resumed": step})

    def stepped(self, step: int, loss: float) -> None:
        """Say where the run stands, at most once a second."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.started = step, now
        if now - self.said < STATE_EVERY:
            return
        self.said = now
        told = self.progress(step)
        self.state(state="running", **told)
        if now - self.printed >= PRINT_EVERY and self.active:
            self.printed = now
            rate = f"{told['rate']:.0f} pictures/s" if told["rate"] else ""
            print(f"step {step} of {self.steps}  loss {loss:.5g}  {rate}", flush=True)

    def progress(self, step: int) -> dict[str, Any]:
        """Return step, rate, seconds left and memory."""
        made, spent = step - (self.first or 0), time.monotonic() - self.started
        pace = spent / made if made > 0 and self.first is not None else None
        return {
            "step": step,
            "steps": self.steps,
            "rate": None if not pace else self.batch / pace,
            "seconds_left": None if pace is None else pace * (self.steps - step),
            "memory": self.memory(),
        }

    def memory(self) -> int:
        """Bytes in use: of the GPU where one trains, else of the process."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_reserved(self.device))
        return int(self.process.memory_info().rss)

    def log(self, row: Mapping[str, Any]) -> None:
        """Add a line of metrics."""
        if self.metrics is not None:
            self.metrics.write(row)

    def alert(self, kind: str, step: int, sentence: str, **more: Any) -> None:
        """Warn: in the file of alerts, in the state, and in the log."""
        if not self.active:
            return
        row = {"kind": kind, "step": step, "time": time.time(), "sentence": sentence, **more}
        print(f"alert ({kind}) at step {step}: {sentence}", flush=True)
        self.run.append(ALERTS, row)
        self.state(alert=sentence)

    def pictures(self, step: int, panels: Mapping[str, Tensor], note: str = "") -> None:
        """Write one PNG a title: the first pictures of a batch side by side; and what to know."""
        folder = self.run.path / PICTURES
        folder.mkdir(exist_ok=True)
        if note:
            (folder / PICTURE_NOTE).write_text(note, encoding="utf-8")
        for title, images in panels.items():
            name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "picture"
            write_strip(folder / f"step-{step:08d}-{name}.png", images)

    def make_room(self) -> None:
        """Give up the space that was kept for the last words."""
        self.ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files."""
        if self.metrics is not None:
            self.metrics.close()
            self.make_room()


def write_strip(path: Any, images: Tensor) -> None:
    """Write pictures [b, 3, h, w] in [0, 1] side by side as a PNG, small ones enlarged."""
    from PIL import Image

    pixels = images[:SHOWN].detach().float().clamp(0, 1).mul(255).round().byte().cpu().numpy()
    strip = np.concatenate(list(pixels.transpose(0, 2, 3, 1)), axis=1)
    factor = max(1, SMALL // strip.shape[0])
    strip = strip.repeat(factor, axis=0).repeat(factor, axis=1)
    temporary = path.with_name(f".{path.name}")
    Image.fromarray(strip).save(temporary, format="PNG", compress_level=1)
    temporary.replace(path)
