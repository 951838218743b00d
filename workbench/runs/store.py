"""A folder of runs that can be read without torch, and the one way to write into it."""

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any

from workbench.data.home import home
from workbench.errors import BadInput, shown
from workbench.runs.config import RunConfig
from workbench.runs.identity import alive
from workbench.runs.killed import ended_by_kernel

CONFIG, ENVIRONMENT, STATE = "config.json", "environment.json", "state.json"
METRICS, LOG, ALERTS, EVALUATIONS = "metrics.jsonl", "log.txt", "alerts.jsonl", "evaluations.jsonl"
CHECKPOINTS, PICTURES, STOP, BEAT = "checkpoints", "pictures", "stop", "beat"
AT_ONCE_ASKED = "stop_now"  # beside `stop`, which a trainer that stops in order takes away
PICTURE_NOTE = "note.txt"  # beside the pictures, where there is something to know of them
AT_ONCE = "ended at once"
HANDED = "engine.json"  # a file of its own: the trainer writes the state at any moment
BEAT_EVERY, SILENCE = 5.0, 120.0  # seconds; a file system shared by machines may be slow to tell
COUNTED_WITHIN = 60.0
NUMBERS = (
    "step", "steps", "tries", "created", "started", "updated", "rate", "seconds_left", "memory",
)  # fmt: skip
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
WAITING, GOING, ENDED = {"queued"}, {"starting", "running", "stopping"}, {
    "done", "cancelled", "failed", "crashed",
}  # fmt: skip


def runs_folder(folder: Path | str | None = None) -> Path:
    """Return the folder of runs: the one given, else `runs` under WORKBENCH_HOME; it is made."""
    path = home() / "runs" if folder is None else Path(folder).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be made a folder ({error.strerror}); choose another with --dir."
        ) from None
    return path


class RunStore:
    """The runs of one folder. Names of people are data in `config.json`, never a path."""

    def __init__(
        self, folder: Path | str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self.clock = runs_folder(folder), clock

    def create(self, config: RunConfig, environment: Mapping[str, Any] | None = None) -> "Run":
        """Make the folder of a new run, in the state "queued"."""
        stem = re.sub(r"[^a-z0-9]+", "_", (config.preset or "run").lower()).strip("_")[:40] or "run"
        now = self.clock()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        path = self._make(f"{stem}-{stamp}-{int(now % 1 * 1e6):06d}")
        run = Run(path)
        write_json(path / CONFIG, config.record(), lasting=True)  # the queue, too, is durable
        write_json(path / ENVIRONMENT, dict(environment or {}))
        run.set_state(state="queued", step=0, steps=config.steps, created=self.clock())
        return run

    def _make(self, stem: str) -> Path:
        for length in (1, 1, 4, 8):  # more runs than names in a moment: a clock that stands still
            path = self.folder / f"{stem}{secrets.token_hex(length)}"
            try:
                path.mkdir(mode=0o700)
                return path
            except FileExistsError:
                continue
        raise BadInput(f"no name is free in {self.folder}; set the clock of this machine.")

    def get(self, name: str) -> "Run":
        """Return a run by its id, or by a beginning of it that is unique.

        Raises:
            BadInput: none or several of that name.
        """
        if ID.fullmatch(name) and (self.folder / name / CONFIG).is_file():
            return Run(self.folder / name)
        fitting = [each for each in self.ids() if name and name in each]
        if len(fitting) != 1:
            many = f"{len(fitting)} runs fit" if fitting else "no run is called"
            raise BadInput(
                f"{many} {shown(name)} in {self.folder}; see `python -m workbench runs list` for "
                "their ids."
            )
        return Run(self.folder / fitting[0])

    def ids(self) -> list[str]:
        """Return the ids of all runs, the oldest first."""
        with os.scandir(self.folder) as entries:
            found = [each.name for each in entries if ID.fullmatch(each.name) and each.is_dir()]
        return sorted(found, key=_age)

    def __iter__(self) -> "Iterator[Run]":
        for name in self.ids():
            run = Run(self.folder / name)
            if (run.path / CONFIG).is_file():
                yield run

    def table(self) -> list[dict[str, Any]]:
        """Return one plain row a run, the newest first: id, state, progress, and its knobs."""
        return [run.row() for run in reversed(list(self))]


def _age(name: str) -> tuple[str, str]:
    found = re.search(r"\d{8}-\d{6}-.*", name)
    return (found.group() if found else "", name)


@dataclass(frozen=True)
class Run:
    """One run: a folder and what it says."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def record(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return read_json(self.path / CONFIG)

    @property
    def config(self) -> RunConfig:
        """The configuration, checked."""
        return RunConfig.read(self.record, self.path / CONFIG)

    @property
    def environment(self) -> dict[str, Any]:
        """Machine, versions and numbers of threads of the last start."""
        return read_json(self.path / ENVIRONMENT, {})

    def handed(self) -> dict[str, str]:
        """Return `engine`, a recipe, and `job`, its name there; {} for a run of this machine."""
        return read_json(self.path / HANDED, {})

    def state(self) -> dict[str, Any]:
        """Return where it stands: `state`, `step`, `steps`, and what the trainer last said.

        `state` is queued, starting, running, stopping, done, cancelled, failed, or crashed:
        the last for a trainer that ended without saying so, by its process's identity.
        """
        found = _sound(read_json(self.path / STATE, NO_STATE))
        if found.get("state") in GOING and not self._lives(found):
            found = {**found, **self._ended(found)}
        if found.get("state") in ("starting", "running") and (self.path / STOP).exists():
            found = {**found, "state": "stopping"}
        return found

    def _ended(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """What became of a process that wrote no last word: ended as somebody asked, or crashed."""
        if (self.path / AT_ONCE_ASKED).exists():
            return {"state": "cancelled", "reason": AT_ONCE, "seconds_left": None}
        return {"state": "crashed", "reason": state.get("reason") or self._crashed(state)}

    def _crashed(self, state: Mapping[str, Any]) -> str:
        taken, beat = state.get("memory"), self.path / BEAT
        beside = f" (it had taken {taken / 2**20:,.0f} MB)" if taken else ""
        told = ""
        with contextlib.suppress(OSError):  # later the counters tell of other processes, too
            here = state.get("host") == gethostname()
            if here and time.time() - beat.stat().st_mtime < COUNTED_WITHIN:
                told = ended_by_kernel(read_json(beat, {}))
        if not told:
            return f"{CRASHED}{beside}"
        batch = read_json(self.path / CONFIG, {}).get("batch")
        less = f"start a new run with a smaller batch than {batch}"
        return f"{told}{beside}; free some and resume it, or {less}"

    def _lives(self, state: Mapping[str, Any]) -> bool:
        """Whether its process runs; on another machine its heartbeat tells."""
        if state.get("host", gethostname()) == gethostname():
            return alive(state.get("pid"), state.get("mark"))
        try:
            return time.time() - (self.path / BEAT).stat().st_mtime < SILENCE
        except OSError:
            return False

    def set_state(self, **changes: Any) -> dict[str, Any]:
        """Change entries of the state, atomically."""
        path = self.path / STATE
        now = {**read_json(path, {}), **changes}
        write_json(path, now)
        return now

    def row(self) -> dict[str, Any]:
        """Return the state and the knobs in one flat dict."""
        try:
            record = self.record
        except BadInput as error:
            return {"id": self.id, "state": "failed", "reason": str(error), "config": {}}
        return {"id": self.id, **self.state(), "config": record}

    def metrics(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the logged steps from `since` on, oldest first; one row a step.

        The file is append-only: where a run went on from an earlier checkpoint, what was logged
        after that checkpoint is superseded and left out here.
        """
        rows: dict[int, dict[str, Any]] = {}
        for line in read_lines(self.path / METRICS):
            if isinstance(line.get("resumed"), int):
                at = line["resumed"]
                rows = {step: row for step, row in rows.items() if step <= at}
            elif isinstance(line.get("step"), int):
                rows[line["step"]] = line
        return [row for step, row in rows.items() if step >= since]

    def alerts(self) -> list[dict[str, Any]]:
        """Return what the trainer and its queue warned of, oldest first.

        `kind` is nan, spike, stall, mask, memory, disk, data, input, killed, failure, restart or
        mirror.
        """
        return list(read_lines(self.path / ALERTS))

    def evaluations(self) -> list[dict[str, Any]]:
        """Return what was measured on its checkpoints, oldest first."""
        return list(read_lines(self.path / EVALUATIONS))

    def log(self, lines: int = 200) -> list[str]:
        """Return the last lines of what the process printed."""
        return tail(self.path / LOG, lines)

    def checkpoints(self) -> list[tuple[int, Path]]:
        """Return (step, file) of the checkpoints there are, the newest last."""
        found: list[tuple[int, Path]] = []
        folder = self.path / CHECKPOINTS
        for file in folder.glob("step-*.safetensors") if folder.is_dir() else ():
            number = file.stem.removeprefix("step-")
            if number.isdecimal() and not file.is_symlink():
                found.append((int(number), file))
        return sorted(found)

    def pictures(self) -> list[tuple[int, str, Path]]:
        """Return (step, title, PNG file) of the pictures there are, by step."""
        found: list[tuple[int, str, Path]] = []
        folder = self.path / PICTURES
        for file in folder.glob("step-*.png") if folder.is_dir() else ():
            number, _, title = file.stem.removeprefix("step-").partition("-")
            if number.isdecimal() and not file.is_symlink():  # which may lead out of the folder
                found.append((int(number), title, file))
        return sorted(found)

    def append(self, name: str, row: Mapping[str, Any]) -> None:
        """Add one line to an append-only file of the run."""
        with JsonLines(self.path / name) as file:
            file.write(row)


NO_STATE = {"state": "failed", "reason": "no state was written"}
DAMAGED = {"state": "failed", "reason": "its state.json is damaged; resume it, or delete it"}


def _sound(state: dict[str, Any]) -> dict[str, Any]:
    """A state whose entries are of their kinds, whoever wrote the file."""
    known = WAITING | GOING | ENDED
    if not isinstance(state.get("state"), str) or state["state"] not in known:
        return {**DAMAGED, "step": 0}
    for name in NUMBERS:
        if not isinstance(state.get(name), int | float | None) or isinstance(state.get(name), bool):
            state[name] = None
    if not isinstance(state.get("pid"), int) or state["pid"] < 1:
        state["pid"] = None
    return state


CRASHED = "the process ended without a word: killed, the machine went down, or out of memory"


class JsonLines:
    """An append-only file of one JSON document a line; a torn last line is closed off first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        torn = False
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
        self.file = path.open("a", encoding="utf-8")
        if torn:
            self.file.write("\n")

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one line; NaN and infinities become null with a word beside them."""
        self.file.write(json.dumps(_plain(row), allow_nan=False) + "\n")
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of JSON lines; torn lines, as a killed process leaves, are passed over."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def read_json(path: Path, default: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read a JSON object; `default` where there is none that can be read.

    Raises:
        BadInput: no default, and it is missing or no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        reason = "no JSON object"
    except (OSError, ValueError) as error:
        reason = str(error)
    if default is None:
        raise BadInput(f"{path} cannot be read ({reason}); the run is damaged, start it anew.")
    return dict(default)


def write_json(path: Path, record: Mapping[str, Any], lasting: bool = False) -> None:
    """Write a JSON object so that a reader sees the old one or the new one, never a part.

    `lasting`: it is on the disk when this returns, and outlasts a loss of power.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(_plain(dict(record)), indent=1) + "\n")
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a text file, without reading all of a long one."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            size = file.tell()
            file.seek(max(0, size - 400 * max(1, lines)))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []
