"""Jobs in small steps: one worker, fair turns, a queue, cancelling, pages that go away."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import jobs as module
from app.jobs import Job, Jobs, Step
from app.jobs import jobs as jobs_of_all
from app.routes import ROUTES
from app.worker import Worker
from workbench.errors import BadInput

SLOW = 20.0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SLOW
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


@pytest.fixture
def ran() -> Iterator[list[str]]:
    """Names of the steps in the order in which the worker did them."""
    yield []


def counting(name: str, ran: list[str], steps: int) -> Iterator[Step]:
    try:
        for at in range(steps):
            ran.append(name)
            time.sleep(0.002)
            yield Step(at + 1, steps, event={"at": at}, now={"latest": at})
    finally:
        ran.append(f"{name} ended")


def over(job: Job) -> Callable[[], bool]:
    return lambda: job.over


def test_a_job_tells_its_events_once_and_its_numbers(ran: list[str]) -> None:
    jobs = Jobs(Worker().run)
    job = jobs.start(counting("a", ran, 5))
    until(over(job))
    report = jobs.report(job)
    assert (report["state"], report["done"], report["total"]) == ("done", 5, 5)
    assert [event["at"] for event in report["events"]] == [0, 1, 2, 3, 4]
    assert report["now"] == {"latest": 4}
    assert report["rate"] > 0 == report["remaining"]
    later = jobs.report(job, since=report["next"])
    assert later["events"] == []
    assert jobs.get(job.mark) is job
    assert jobs.get("guess") is None


def test_two_run_in_turn_and_the_third_waits_and_is_told(ran: list[str]) -> None:
    jobs = Jobs(Worker().run, most=2)
    gate = threading.Event()

    def held() -> Iterator[Step]:
        gate.wait(SLOW)
        yield from counting("a", ran, 30)

    first = jobs.start(held())
    second, third = (jobs.start(counting(name, ran, 30)) for name in "bc")
    fourth = jobs.start(counting("d", ran, 1))
    assert [jobs.report(job)["place"] for job in (first, second, third, fourth)] == [0, 0, 1, 2]
    assert jobs.report(fourth)["state"] == "waiting"
    gate.set()
    for job in (first, second, third, fourth):
        until(over(job))
    order = "".join(name[0] for name in ran if "ended" not in name)
    together = order[: order.rindex("a")]
    assert 10 <= together.count("b") <= 31  # they take turns
    assert "c" not in order[: min(order.rindex("a"), order.rindex("b"))]
    until(lambda: jobs.counts() == {"running": 0, "waiting": 0})


def test_other_work_waits_for_one_step_at_most(ran: list[str]) -> None:
    worker = Worker()
    jobs = Jobs(worker.run)
    first, second = (jobs.start(counting(name, ran, 400)) for name in "ab")
    until(lambda: len(ran) > 4)
    for _ in range(20):
        before = len(ran)
        worker.run(lambda: None)
        assert len(ran) - before <= 2  # the step in progress, and one that begins after ours
    for job in (first, second):
        job.cancel()
        until(over(job))


def test_jobs_step_back_while_pages_ask_but_not_for_ever(
    ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    jobs = Jobs(worker.run_behind)
    job = jobs.start(counting("a", ran, 10**6))
    until(lambda: len(ran) > 4)
    monkeypatch.setattr("app.worker.QUIET_SECONDS", 2 * SLOW)
    monkeypatch.setattr("app.worker.PATIENCE_SECONDS", 2.0)
    worker.run(lambda: None)
    worker.run(lambda: None)
    before = len(ran)
    worker.run(lambda: None)  # a page's next call follows at once: no step came between
    assert len(ran) - before <= 1
    until(lambda: len(ran) >= before + 2)  # though it is never quiet, patience ends
    job.cancel()
    until(over(job))


def test_cancelling_ends_the_generator_between_two_steps(ran: list[str]) -> None:
    jobs = Jobs(Worker().run)
    job = jobs.start(counting("a", ran, 10_000))
    until(lambda: len(ran) > 3)
    job.cancel()
    until(over(job))
    assert job.state == "cancelled"
    assert ran[-1] == "a ended"
    count = len(ran)
    time.sleep(0.05)
    assert len(ran) == count
    assert jobs.report(job)["done"] == count - 1


def test_a_waiting_job_can_be_cancelled(ran: list[str]) -> None:
    jobs = Jobs(Worker().run, most=1)
    first, second = (jobs.start(counting(name, ran, 10_000)) for name in "ab")
    second.cancel()
    until(over(second))
    assert not any(name.startswith("b") for name in ran)
    assert not first.over
    first.cancel()
    until(over(first))


def test_the_job_of_a_page_that_is_gone_ends_by_itself(
    ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GONE_SECONDS", 0.05)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    jobs, there = Jobs(Worker().run), [True]
    job = jobs.start(counting("a", ran, 10**6), alive=lambda: there[0])
    stays = jobs.start(counting("b", ran, 10**6))
    until(lambda: len(ran) > 60)
    assert not job.over
    there[0] = False
    until(over(job))
    assert "a ended" in ran
    assert not stays.over
    stays.cancel()
    until(over(stays))


@pytest.mark.parametrize(
    ("error", "words"),
    [(BadInput("ratio is 2, wanted 0 to 1; take 0.5."), "Ratio is 2"), (ValueError("x"), "log")],
)
def test_a_failure_is_a_sentence(error: Exception, words: str) -> None:
    def failing() -> Iterator[Step]:
        yield Step(1, 2)
        raise error

    jobs = Jobs(Worker().run)
    job = jobs.start(failing())
    until(over(job))
    assert job.state == "failed"
    assert words in jobs.report(job)["problem"]
    assert "ValueError" not in job.problem


def test_a_broken_job_does_not_take_the_others_down(ran: list[str]) -> None:
    def broken() -> bool:
        raise RuntimeError("no such page")

    jobs = Jobs(Worker().run)
    first = jobs.start(counting("a", ran, 10**6), alive=broken)
    second = jobs.start(counting("b", ran, 5))
    until(over(second))
    until(over(first))
    assert (first.state, second.state) == ("failed", "done")


def test_a_job_is_read_and_cancelled_by_its_secret_alone(ran: list[str]) -> None:
    app = Starlette(routes=[route for route in ROUTES if "/api/job/" in route.path])
    ask = TestClient(app)
    job = jobs_of_all.start(counting("a", ran, 10**6))
    until(lambda: job.done > 3)
    address = f"/api/job/{job.mark}"
    report = ask.get(f"{address}?since=2").json()
    assert report["state"] == "running"
    assert report["events"][0] == {"at": 2}
    assert ask.get(f"{address}?since=-1").json()["events"][0] == {"at": 0}
    assert ask.get("/api/job/guess").status_code == 404
    assert ask.post(f"{address}/cancel").status_code == 403
    assert ask.get(f"{address}/cancel").status_code == 405
    wanted = {"x-workbench": "job"}
    assert ask.post("/api/job/guess/cancel", headers=wanted).status_code == 404
    assert not job.leave
    assert ask.post(f"{address}/cancel", headers=wanted).status_code == 200
    until(over(job))
    assert ask.get(address).json()["state"] == "cancelled"


LEAVING = """
import time
import torch
from app.jobs import Step, jobs

def steps():
    while True:
        torch.nn.functional.conv2d(torch.ones(8, 64, 64, 64), torch.ones(64, 64, 3, 3))
        yield Step(0, 1)

job = jobs.start(steps())
while job.done + job.total == 0:
    time.sleep(0.01)
"""


def test_a_server_that_ends_while_a_job_computes_is_not_aborted() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
