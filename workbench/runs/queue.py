"""The queue of one folder of runs: sqlite, durable, each job started once, whoever looks after it.

`python -m workbench.runs.queue FOLDER` is the runner: it starts what waits while there are free
slots, and ends when nothing waits and nothing runs. It needs no server; `ensure_runner` starts one.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import gethostname
from typing import Any

from workbench.errors import BadInput, shown
from workbench.runs.identity import alive, me, of_earlier_boot, start_mark
from workbench.runs.locking import Lock
from workbench.runs.store import ALERTS, CONFIG, GOING, LOG, Run, RunStore, read_json
from workbench.runs.surroundings import surroundings, surroundings_of

FILE, RUNNER_LOCK, RUNNER_LOG = "queue.sqlite", "queue.lock", "queue.log"
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  run TEXT PRIMARY KEY, position REAL NOT NULL, state TEXT NOT NULL, slot INTEGER,
  pid INTEGER, mark TEXT, runner INTEGER, runner_mark TEXT, tries INTEGER, slots TEXT);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
LOOK_EVERY = 0.2
MOST_SLOTS = 1024
LIMITS = {
    "slots": range(1, MOST_SLOTS + 1), "gpus": range(MOST_SLOTS + 1), "paused": range(2),
    "keep_going": range(2),
}  # fmt: skip
REST = 10.0  # seconds after a runner that ended in trouble before another one is started
STARTED: "list[subprocess.Popen[bytes]]" = []  # runners of ours, so that their ends are noticed
_TROUBLE: dict[Path, float] = {}


class Queue:
    """Jobs of a folder, waiting or started. Every change is one transaction."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = RunStore(folder)
        try:
            self._open()
        except sqlite3.OperationalError:  # locked, or no room: true of a whole file, too
            raise
        except sqlite3.DatabaseError as problem:
            raise BadInput(
                f"the queue {folder / FILE} is damaged ({problem}); move that file away, the runs "
                "stay, and resume those that waited."
            ) from None

    def _open(self) -> None:
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(SCHEMA)
            columns = {row["name"] for row in db.execute("PRAGMA table_info(jobs)")}
            for name, kind in (("tries", "INTEGER"), ("slots", "TEXT")):
                if name not in columns:  # a file of an earlier version
                    db.execute(f"ALTER TABLE jobs ADD COLUMN {name} {kind}")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.folder / FILE, timeout=30, isolation_level=None)
        db.row_factory = sqlite3.Row
        return db

    @contextmanager
    def _change(self) -> Generator[sqlite3.Connection]:
        """One transaction that no other process can come between."""
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise

    def add(self, run: Run, *, first: bool = False) -> None:
        """Put a run at the end, or before all others that wait."""
        tries = run.state().get("tries", 0)
        with self._change() as db:
            ends = db.execute("SELECT min(position), max(position) FROM jobs").fetchone()
            place = (ends[0] or 0.0) - 1 if first else (ends[1] or 0.0) + 1
            db.execute(
                "INSERT OR REPLACE INTO jobs (run, position, state, tries) VALUES (?, ?, ?, ?)",
                (run.id, place, "waiting", tries),
            )

    def remove(self, run: str) -> bool:
        """Take a run out that has not started; returns whether it was there."""
        with self._change() as db:
            gone = db.execute("DELETE FROM jobs WHERE run=? AND state<>'started'", (run,))
            return gone.rowcount > 0

    def move(self, run: str, place: int) -> None:
        """Put a waiting run at a place among those that wait, 0 for the next to start.

        Raises:
            BadInput: it does not wait.
        """
        with self._change() as db:
            rows = db.execute("SELECT run FROM jobs WHERE state='waiting' ORDER BY position")
            order = [row["run"] for row in rows]
            if run not in order:
                raise BadInput(
                    f"{run} does not wait in the queue; see `python -m workbench runs list`."
                )
            order.remove(run)
            order.insert(max(0, place), run)
            for position, name in enumerate(order):
                db.execute("UPDATE jobs SET position=? WHERE run=?", (position + 1.0, name))

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs in their order, those that run first."""
        with closing(self._connect()) as db:
            rows = db.execute("SELECT * FROM jobs ORDER BY state='waiting', position").fetchall()
        return [dict(row) for row in rows]

    def settings(self) -> dict[str, int]:
        """Return slots (jobs at once), gpus, paused, and keep_going after a failure."""
        with closing(self._connect()) as db:
            stored = {row["name"]: row["value"] for row in db.execute("SELECT * FROM settings")}
        gpus = stored.get("gpus", gpu_count())
        usual = {"slots": max(1, gpus), "gpus": gpus, "paused": 0, "keep_going": 1}
        return {**usual, **stored}

    def set(self, **values: int) -> None:
        """Change settings."""
        if any(value not in LIMITS.get(name, ()) for name, value in values.items()):
            told = ", ".join(f"{name}={value}" for name, value in values.items())
            raise BadInput(
                f"the queue cannot take {shown(told)}; set slots (1 to {MOST_SLOTS}), gpus (0 to "
                f"{MOST_SLOTS}), paused and keep_going (0 or 1)."
            )
        with self._change() as db:
            for name, value in values.items():
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, int(value)))

    def claim(self) -> tuple[str, list[int]] | None:
        """Take the next job, if one waits and slots are free: (run, slots); never the same twice.

        A run of several processes takes a slot a process where there are GPUs, each on another one.
        """
        told = self.settings()
        if told["paused"]:
            return None
        pid, mark = me()
        with self._change() as db:
            held = db.execute("SELECT slot, slots FROM jobs WHERE state='started'").fetchall()
            taken = {
                int(each) for row in held for each in (row["slots"] or str(row["slot"])).split()
            }
            free = [slot for slot in range(told["slots"]) if slot not in taken]
            row = db.execute(
                "SELECT run FROM jobs WHERE state='waiting' ORDER BY position LIMIT 1"
            ).fetchone()
            if row is None or len(taken) >= told["slots"]:
                return None
            wanted = min(self._width(row["run"], told["gpus"]), told["slots"])
            apart = {slot % max(1, told["gpus"]): slot for slot in reversed(free)}
            chosen = sorted(apart.values())[:wanted] if wanted > 1 else free[:1]
            if len(chosen) < wanted:
                return None
            db.execute(
                "UPDATE jobs SET state='started', slot=?, slots=?, runner=?, runner_mark=?, "
                "pid=NULL, mark=NULL WHERE run=?",
                (chosen[0], " ".join(map(str, chosen)), pid, mark, row["run"]),
            )
            return row["run"], chosen

    def _width(self, run: str, gpus: int) -> int:
        told = read_json(self.folder / run / CONFIG, {})
        processes = told.get("processes", 1)
        if told.get("device") == "cpu" or not isinstance(processes, int):
            return 1  # what is no number is refused by the trainer, in a sentence
        return max(1, min(processes, gpus))

    def started(self, run: str, pid: int, mark: str) -> None:
        """Note which process works on a job."""
        with self._change() as db:
            db.execute("UPDATE jobs SET pid=?, mark=? WHERE run=?", (pid, mark, run))

    def ended(self, run: str) -> None:
        """Let go of a job that has ended."""
        with self._change() as db:
            db.execute("DELETE FROM jobs WHERE run=? AND state='started'", (run,))

    def settle(self) -> None:
        """Let go of jobs whose process has ended, and take back those that were never started."""
        for job in self.jobs():
            if job["state"] != "started" or alive(job["pid"], job["mark"]):
                continue
            run = Run(self.folder / job["run"])
            state = read_json(run.path / "state.json", {})
            if alive(state.get("pid"), state.get("mark")) and state.get("state") in GOING:
                self.started(job["run"], state["pid"], state["mark"])  # adopted by its identity
            elif job["pid"] is not None or not run.path.is_dir():
                self._finish(run, job)
            elif not alive(job["runner"], job["runner_mark"]):
                with self._change() as db:  # its runner died between taking and starting it
                    db.execute(
                        "UPDATE jobs SET state='waiting', slot=NULL WHERE run=? AND pid IS NULL "
                        "AND runner_mark=?",
                        (job["run"], job["runner_mark"]),
                    )

    def _finish(self, run: Run, job: dict[str, Any]) -> None:
        self.ended(run.id)
        if not (run.path / CONFIG).is_file():
            return
        state = run.state()
        if state.get("tries", 0) != (job["tries"] or 0):  # it has been put into the queue again
            return
        if state["state"] == "queued":  # it ended before it could say a word
            said = next(reversed(run.log(1)), "")
            state = run.set_state(state="crashed", reason=f"the process did not start: {said}")
        elif _restarted(state, job["mark"]):
            self._again(run, state)
            return
        elif state["state"] == "crashed":
            run.set_state(state="crashed", reason=state["reason"])
        if state["state"] in ("failed", "crashed") and not self.settings()["keep_going"]:
            self.set(paused=1)

    def _again(self, run: Run, state: dict[str, Any]) -> None:
        """Go on with a run that the machine's restart has ended; the others wait for it."""
        said = "the machine was restarted; it goes on from its newest checkpoint"
        run.append(ALERTS, {"kind": "restart", "step": state.get("step"), "sentence": said})
        run.set_state(
            state="queued", tries=state.get("tries", 0) + 1, pid=None, mark=None, reason=said
        )
        self.add(run, first=True)

    def busy(self) -> bool:
        """Whether anything runs, or waits and may start."""
        jobs = self.jobs()
        if any(job["state"] == "started" for job in jobs):
            return True
        return bool(jobs) and not self.settings()["paused"]


def _restarted(state: dict[str, Any], mark: str | None) -> bool:
    """Whether a run ended because this machine was started anew, in order or not."""
    here = state.get("host") == gethostname()
    asked = state["state"] == "cancelled" and not state.get("by_signal")
    ended = state["state"] in ("crashed", "cancelled") and not asked
    return here and ended and of_earlier_boot(mark)


def gpu_count() -> int:
    """Count NVIDIA GPUs without loading torch; what CUDA_VISIBLE_DEVICES names counts."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return len([each for each in shown.split(",") if each.strip() not in ("", "-1")])
    folder = Path("/proc/driver/nvidia/gpus")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def gpus_of(slots: list[int], gpus: int) -> str:
    """Return what CUDA_VISIBLE_DEVICES has to be for a job on these slots."""
    shown = [s for s in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if s.strip()]
    numbers = [slot % gpus for slot in slots]
    return ",".join(shown[n] if len(shown) >= gpus else str(n) for n in numbers)


def start(
    run: Run, shown: str = "", *, own_session: bool = True, deaf_to: tuple[signal.Signals, ...] = ()
) -> "subprocess.Popen[bytes]":
    """Start the process of a run; what it prints goes to its log.

    Args:
        run: its folder says where, and with which variables.
        shown: the GPUs that it may use, as CUDA names them; empty for those of this process.
        own_session: in a session of its own, so that it outlives this one.
        deaf_to: signals that it and its children ignore.
    """
    told = run.environment
    environment = surroundings_of(told)
    if shown:
        environment["CUDA_VISIBLE_DEVICES"] = shown

    def ignore() -> None:
        for each in deaf_to:
            signal.signal(each, signal.SIG_IGN)

    folder = told.get("folder") or None
    with (run.path / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "workbench.runs.process", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=own_session,
            preexec_fn=ignore if deaf_to else None,
            cwd=folder if folder and Path(folder).is_dir() else None,
            env=environment,
        )


def _begin(queue: Queue, name: str, slots: list[int]) -> "subprocess.Popen[bytes] | None":
    """Start a job that was claimed; one that cannot start says why, and the queue goes on."""
    run = Run(queue.folder / name)
    try:
        if run.state()["state"] != "queued":
            queue.ended(name)
            return None
        gpus = queue.settings()["gpus"]
        child = start(run, gpus_of(slots, gpus) if gpus else "")
    except Exception as problem:
        print(f"{name} could not be started: {problem!r}", flush=True)
        queue.ended(name)
        with contextlib.suppress(Exception):
            run.set_state(state="failed", problem="start", reason=f"it could not start: {problem}")
        return None
    queue.started(name, child.pid, start_mark(child.pid) or "gone")
    return child


def look_after(folder: Path) -> None:
    """Run the queue until it is empty; returns at once if another process does."""
    queue, lock = Queue(folder), Lock(folder / RUNNER_LOCK)
    children: dict[str, subprocess.Popen[bytes]] = {}
    while lock.take():
        while True:
            for run in [name for name, child in children.items() if child.poll() is not None]:
                children.pop(run)
            queue.settle()
            while (job := queue.claim()) is not None:
                child = _begin(queue, *job)
                if child is not None:
                    children[job[0]] = child
            if not queue.busy():
                break
            time.sleep(LOOK_EVERY)
        lock.give()
        if not queue.busy():  # or a job came in between: take the lock again
            return


def ensure_runner(folder: Path) -> None:
    """Start a runner for a folder unless one looks after it; it outlives this process."""
    queue, lock = Queue(folder), Lock(folder / RUNNER_LOCK)
    if any(each.poll() for each in STARTED):
        _TROUBLE[folder] = time.monotonic()
    STARTED[:] = [each for each in STARTED if each.poll() is None]
    if time.monotonic() - _TROUBLE.get(folder, -REST) < REST:  # or each look would start one more
        return
    if not queue.busy() or not lock.take():
        return
    lock.give()
    with (folder / RUNNER_LOG).open("ab") as log:
        STARTED.append(
            subprocess.Popen(
                [sys.executable, "-m", "workbench.runs.queue", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=surroundings(os.environ),
            )
        )


if __name__ == "__main__":
    look_after(Path(sys.argv[1]))
