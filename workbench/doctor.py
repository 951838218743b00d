"""What is there: versions, devices, memory, checkpoints, and what is missing with how to get it."""

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from workbench import __version__, chromium

State = Literal["ok", "missing", "note"]
NEEDED = (
    "numpy", "scipy", "pillow", "scikit-image", "scikit-learn", "opencv-python-headless",
    "safetensors", "torch", "streamlit", "uvicorn", "typer", "psutil", "pycocotools",
)  # fmt: skip
EXTRA = {
    "timm": "encoders other than the bundled model",
    "torchvision": "CIFAR-10",
    "anywidget": "the painter in notebooks",
    "jupyterlab": "`make lab`",
    "submitit": "handing runs to Slurm",
    "trackio": "runs mirrored to Trackio",
    "playwright": "browser tests",
    "pytest": "tests",
}
INSTALL = "run `make setup`, or `make setup-dev` for what only tests need"
EXTRAS = {"submitit": "slurm", "trackio": "track"}
SMALL_MEMORY, SMALL_DISK = 2 * 2**30, 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its name, what was found, and what to do where it is missing."""

    name: str
    found: str
    state: State = "ok"
    needed: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All findings; `usable` unless something that the workbench cannot do without is missing."""

    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether the app can be opened on the bundled model."""
        return not any(each.needed and each.state == "missing" for each in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"usable": self.usable, "findings": [asdict(each) for each in self.findings]}

    def lines(self) -> list[str]:
        """The report for people."""
        wide = max(len(each.name) for each in self.findings)
        signs = {"ok": "  ", "missing": "! ", "note": "- "}
        lines = [
            f"{signs[each.state]}{each.name.ljust(wide)}  {each.found}"
            + (f"; {each.remedy}" if each.remedy else "")
            for each in self.findings
        ]
        verdict = "Usable." if self.usable else "Not usable: see the lines marked with !."
        return [*lines, verdict]


def examine() -> Report:
    """Look at everything; nothing is downloaded and nothing is changed."""
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        programs, packages, machine, devices, places, checkpoints, browser,
    )  # fmt: skip
    findings: list[Finding] = []
    for part in parts:
        try:
            findings += part()
        except Exception as error:  # the doctor must report a broken machine, not die of it
            said = f"could not be examined ({type(error).__name__}: {error})"
            findings.append(Finding(part.__name__, said, "missing"))
    return Report(tuple(findings))


def programs() -> Iterator[Finding]:
    """The workbench itself and Python."""
    yield Finding("workbench", __version__)
    good = sys.version_info >= (3, 11)
    yield Finding(
        "Python",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "ok" if good else "missing",
        needed=True,
        remedy="" if good else "install Python 3.11 or newer",
    )


def packages() -> Iterator[Finding]:
    """Versions of packages, read without importing any; a line for those that are missing."""
    there: dict[str, str] = {}
    for name in (*NEEDED, *EXTRA):
        try:
            there[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            use = EXTRA.get(name)
            found = "not installed" + ("" if use is None else f" (for {use})")
            state: State = "missing" if use is None else "note"
            group = EXTRAS.get(name)
            remedy = INSTALL if group is None else f"pip install 'mask-workbench[{group}]'"
            yield Finding(name, found, state, needed=use is None, remedy=remedy)
    told = ", ".join(f"{name} {number}" for name, number in there.items())
    yield Finding("packages", told)


def machine() -> Iterator[Finding]:
    """Cores, memory and processor."""
    import psutil

    memory = psutil.virtual_memory()
    tight = memory.available < SMALL_MEMORY
    yield Finding(
        "memory",
        f"{_size(memory.available)} free of {_size(memory.total)}",
        "note" if tight else "ok",
        remedy="close other programs: PyTorch alone takes about 1 GB" if tight else "",
    )
    yield Finding("processor", f"{_processor()}, {os.cpu_count()} cores")


def devices() -> Iterator[Finding]:
    """Where torch can compute, and in which precision."""
    started = time.perf_counter()
    try:
        import torch
    except Exception as error:
        yield Finding("torch", f"does not import ({error})", "missing", True, INSTALL)
        return
    spent = time.perf_counter() - started
    yield Finding("torch", f"{torch.__version__}, imported in {spent:.1f} s")
    from workbench.models.precision import bf16_gain

    gain = bf16_gain()
    does = "used" if gain >= 1.5 else "not used"
    yield Finding(
        "cpu", f"{torch.get_num_threads()} threads; bf16 is {gain:.1f}x as fast as fp32, {does}"
    )
    if not torch.cuda.is_available():
        yield Finding("cuda", "no GPU that torch can use; the CPU does", "note")
        return
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        half = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        name = torch.cuda.get_device_name(index)
        yield Finding(f"cuda:{index}", f"{name}, {_size(free)} free of {_size(total)}, {half}")


def places() -> Iterator[Finding]:
    """The folder of everything that the user makes."""
    from workbench.data.decoded import PLACE, kept_files
    from workbench.data.home import home
    from workbench.errors import BadInput

    try:
        folder = home()
        probe = folder / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except (BadInput, OSError) as error:
        yield Finding("home", str(error), "missing", True, "set WORKBENCH_HOME to another folder")
        return
    free = shutil.disk_usage(folder).free
    yield Finding(
        "home",
        f"{folder}, {_size(free)} free",
        "note" if free < SMALL_DISK else "ok",
        remedy="make room on that disk" if free < SMALL_DISK else "",
    )
    files, size = kept_files()
    if files:
        said = f"{_size(size)} of decoded pictures in {files} file" + "s" * (files > 1)
        yield Finding("cache", f"{said}; {folder / PLACE} may be emptied, runs fill it again")


def checkpoints() -> Iterator[Finding]:
    """Each model's hash against its card."""
    from workbench.models.catalog import broken_cards, list_models

    found = list_models()
    for model in found:
        needed, name = model.name == "default", f"model {model.name}"
        if not model.weights.is_file():
            said, remedy = f"{model.weights} is not there", "get it again: git checkout -- assets"
            yield Finding(name, said, "missing", needed, remedy)
        elif not model.intact():
            said = f"{model.weights} does not have the hash on its card, {model.sha256[:12]}"
            yield Finding(name, said, "missing", needed, "get it again: git checkout -- assets")
        else:
            size = _size(model.weights.stat().st_size)
            hashed = f"sha256 {model.sha256}: as stated" if model.sha256 else model.origin
            said = f"{model.rows} x {model.cols} patches, {size}, {hashed}"
            yield Finding(name, said)
    if not any(model.name == "default" for model in found):
        remedy = "get the repository whole: the bundled model lies in assets/checkpoints"
        yield Finding("model default", "not there", "missing", True, remedy)
    for sentence in broken_cards():
        yield Finding("model card", sentence, "note")


def browser() -> Iterator[Finding]:
    """The Chromium that browser tests drive."""
    found = chromium.find()
    if found is None:
        remedy = "run `make browser`; only the browser tests need it"
        yield Finding("Chromium", "none that starts", "note", remedy=remedy)
    else:
        yield Finding("Chromium", f"{found[1]} at {found[0]}")


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.1f} MB"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.machine()
