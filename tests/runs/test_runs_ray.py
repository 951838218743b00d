"""Runs that are handed to Ray, with a small dashboard in its place.

It answers as Ray 2.60 was seen to answer; `make ray` asks a real one.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests.runs.conftest import Small, until
from workbench.errors import BadInput
from workbench.runs import trainee
from workbench.runs.engines import ENGINES, ray
from workbench.runs.handing import ask_after
from workbench.runs.identity import start_mark
from workbench.runs.launching import enqueue, enqueue_all
from workbench.runs.store import GOING, STOP, Run, RunStore

LONG = 1_000_000
TAKEN = (
    "Traceback (most recent call last):\nValueError: Job with submission_id {} already exists.\n."
)
ROOM = (
    "Job supervisor actor failed to start within 900.0 seconds. Set RAY_JOB_START_TIMEOUT_SECONDS."
)


def send(number: signal.Signals, family: list[psutil.Process]) -> None:
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # which has ended by itself meanwhile
            each.send_signal(number)


class Dashboard(ThreadingHTTPServer):
    """The jobs of a cluster; with `starts` their entrypoints are started, as Ray starts them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.told: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.takes, self.starts = 1000, False
        self.working: dict[str, subprocess.Popen[bytes]] = {}
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self.thread.start()

    def take(self, told: dict[str, Any]) -> tuple[int, Any]:
        job = told["submission_id"]
        if len(self.jobs) >= self.takes:
            return 400, TAKEN.format(job)
        self.told.append(told)
        self.jobs[job] = {"submission_id": job, "status": "PENDING", "message": "It may wait."}
        if self.starts:
            self.working[job] = subprocess.Popen(
                ["sh", "-c", told["entrypoint"]], start_new_session=True
            )
            self.jobs[job]["status"] = "RUNNING"
        return 200, {"job_id": job, "submission_id": job}

    def stop(self, job: str) -> tuple[int, Any]:
        self.stopped.append(job)
        if job not in self.jobs:
            return 404, f"Job {job} does not exist"
        if job in self.working:
            leader = psutil.Process(self.working[job].pid)
            family = [leader, *leader.children(recursive=True)]
            send(signal.SIGTERM, family)
            send(signal.SIGKILL, psutil.wait_procs(family, timeout=1)[1])
            self.working[job].wait()
            self.jobs[job]["status"] = "STOPPED"
        return 200, {"stopped": True}  # said of one that waits, too, which goes on waiting

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()
        for each in self.working.values():
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
                each.wait()


class Answers(BaseHTTPRequestHandler):
    server: Dashboard  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/jobs/")
        driver = {"type": "DRIVER", "submission_id": None, "status": "RUNNING"}
        everything = [*self.server.jobs.values(), driver]
        self.say(200, self.server.jobs[name] if name else everything)

    def do_POST(self) -> None:
        name = self.path.removeprefix("/api/jobs/").removesuffix("/stop")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.say(*(self.server.stop(name) if name else self.server.take(json.loads(body))))

    def say(self, status: int, what: Any) -> None:
        content = what if isinstance(what, str) else json.dumps(what)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    found = Dashboard()
    monkeypatch.setenv("RAY_ADDRESS", found.address)
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    yield found
    found.close()


def test_a_job_trains_its_run_and_takes_the_trainer_with_it(
    small: Small, tmp_path: Path, dashboard: Dashboard
) -> None:
    dashboard.starts = True
    run = enqueue(small(steps=LONG), tmp_path / "a folder; of $runs", "ray()")
    until(lambda: run.state()["state"] in GOING)
    pid, (job,) = run.state()["pid"], dashboard.jobs
    assert os.getpgid(pid) == dashboard.working[job].pid  # the group that Ray kills if it goes down
    assert run.cancel(now=True)["state"] == "cancelled"
    assert dashboard.stopped == [job] and start_mark(pid) is None
    assert run.state()["state"] == "cancelled"


def test_many_are_handed_over_at_once_and_the_lost_ones_told_in_ray_s_words(
    small: Small, tmp_path: Path, dashboard: Dashboard
) -> None:
    configs = [small(seed=seed) for seed in range(3)]
    runs = enqueue_all(configs, tmp_path / "runs", "ray(gpus=2, memory=3)")
    assert [run.handed()["job"] for run in runs] == list(dashboard.jobs)
    first = dashboard.told[0]
    assert (first["entrypoint_num_cpus"], first["entrypoint_num_gpus"]) == (1, 2)
    assert first["entrypoint_memory"] == 3 * 2**30 and str(runs[0].path) in first["entrypoint"]
    ask_after(runs)
    assert [run.state()["state"] for run in runs] == ["queued"] * 3
    dashboard.jobs[runs[1].handed()["job"]].update(status="FAILED", message=ROOM)
    runs[2].set_state(state="done")
    dashboard.jobs[runs[2].handed()["job"]]["status"] = "SUCCEEDED"
    ask_after(runs)
    assert [run.state()["state"] for run in runs] == ["queued", "crashed", "done"]
    assert f"has ended job {runs[1].handed()['job']}" in runs[1].state()["reason"]
    assert ROOM in runs[1].state()["reason"]


def test_all_are_taken_or_none(small: Small, tmp_path: Path, dashboard: Dashboard) -> None:
    dashboard.takes = 2
    with pytest.raises(BadInput, match=r"refuses \(.*submission_id .* already exists"):
        enqueue_all([small(seed=seed) for seed in range(3)], tmp_path / "runs", "ray()")
    assert dashboard.stopped[:2] == list(dashboard.jobs)
    assert RunStore(tmp_path / "runs").ids() == []


def test_a_run_stays_with_its_cluster_whatever_the_surroundings_say_later(
    small: Small, tmp_path: Path, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = enqueue(small(), tmp_path / "runs", "ray(cpus=2)")
    assert run.handed()["engine"] == f'ray(address="{dashboard.address}", cpus=2)'
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    ask_after([run])
    assert run.state()["state"] == "queued"
    first = run.handed()["job"]
    assert run.cancel()["state"] == "cancelled" and dashboard.stopped == [first]
    assert run.resume().handed()["job"] == list(dashboard.jobs)[1] != first
    assert run.state()["state"] == "queued"


def test_what_waits_is_cancelled_without_the_cluster_and_resumed_only_with_it(
    small: Small, tmp_path: Path, dashboard: Dashboard
) -> None:
    run = enqueue(small(), tmp_path / "runs", "ray()")
    dashboard.shutdown()
    dashboard.server_close()
    ask_after([run])
    assert run.state()["state"] == "queued"  # nothing is known of it
    assert run.cancel()["state"] == "cancelled" and (run.path / STOP).exists()
    with pytest.raises(BadInput, match=f"no Ray answers at {dashboard.address}"):
        run.resume()
    assert run.state()["state"] == "cancelled"


def test_a_job_that_goes_on_is_not_called_ended(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "LEAVE_WITHIN", 0.0)
    dashboard.jobs = {
        job: {"submission_id": job, "status": status}
        for job, status in (("goes", "RUNNING"), ("waits", "PENDING"), ("went", "SUCCEEDED"))
    }
    engine = ENGINES.parse("ray()")
    with pytest.raises(BadInput, match="goes goes on after 0 s"):
        engine.end("goes", "")
    engine.end("waits", "")
    engine.end("went", "")
    engine.end("another cluster's", "")
    assert dashboard.stopped == ["goes", "waits"]


def test_no_cluster_is_a_sentence_and_nothing_is_left(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("TAKE_WITHIN", "ANSWER_WITHIN"):
        monkeypatch.setattr(ray, limit, 0.2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        here = f"127.0.0.1:{mute.getsockname()[1]}"
        for address, said in (
            (here, f"no Ray answers at http://{here} .timed out"),
            ("http://127.0.0.1:1/", "no Ray answers at http://127.0.0.1:1 .*refused"),
            ("ray://head:10001", "is 'ray://head:10001', not a web address"),
            ("http://[", "no Ray answers"),
        ):
            with pytest.raises(BadInput, match=said):
                enqueue(small(), tmp_path / "runs", f'ray(address="{address}")')
            assert ENGINES.parse(f'ray(address="{address}")').active("") is None
    assert RunStore(tmp_path / "runs").ids() == []


def test_a_job_leaves_a_run_alone_that_does_not_wait_for_it(small: Small, store: RunStore) -> None:
    run = store.create(small())
    assert trainee.wanted(run)
    run.set_state(state="cancelled")
    assert not trainee.wanted(run, 0.0) and not trainee.wanted(Run(store.folder / "gone"), 0.0)
    later = threading.Timer(0.1, run.set_state, kwargs={"state": "queued"})
    later.start()
    assert trainee.wanted(run)
    later.join()


def test_a_trainer_that_never_began_is_told_unless_its_run_was_resumed_meanwhile(
    small: Small, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starting(run: Run, **changes: Any) -> SimpleNamespace:
        return SimpleNamespace(wait=lambda: run.set_state(**changes) and 1)

    run = store.create(small())
    again = partial(starting, state="queued", tries=1)
    monkeypatch.setattr(trainee, "start", lambda run, **_: again(run))
    assert trainee.see_off(run) == 1 and run.state()["state"] == "queued"
    monkeypatch.setattr(trainee, "start", lambda run, **_: starting(run, step=0))
    assert trainee.see_off(run) == 1 and run.state()["state"] == "crashed"
    assert "did not start" in run.state()["reason"]
