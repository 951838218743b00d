"""What the Runs view is made of: rows, pages, routes; who may do what, and what is read again."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import asking, lending, run_routes, run_rows
from app.run_routes import RUN_ROUTES
from app.run_rows import Pages, Rows
from app.train_form import linked
from tests.runs.conftest import until
from workbench import scenes
from workbench.errors import BadInput
from workbench.runs.beginning import resolved
from workbench.runs.config import RunConfig
from workbench.runs.engines.slurm import Slurm
from workbench.runs.following import Metrics, curves
from workbench.runs.identity import me
from workbench.runs.judging import FILE, judging, start_judging
from workbench.runs.queue import Queue
from workbench.runs.removing import delete
from workbench.runs.store import HANDED, METRICS, STOP, Run, RunStore, write_json
from workbench.runs.telling import told
from workbench.runs.training import train

OURS = {"x-workbench": "runs"}


@pytest.fixture
def store(workbench_home: Path) -> RunStore:
    return RunStore()


@pytest.fixture
def ask(store: RunStore) -> TestClient:
    return TestClient(Starlette(routes=RUN_ROUTES), base_url="http://127.0.0.1")


def made(store: RunStore, state: str = "done", **knobs: Any) -> Run:
    run = store.create(RunConfig(**{"preset": "digits_mae_tiny", **knobs}))
    pid, mark = me()
    run.set_state(state=state, step=7, pid=pid, mark=mark)
    return run


def pictured(run: Run, step: int = 20, title: str = "reconstruction") -> str:
    from PIL import Image

    folder = run.path / "pictures"
    folder.mkdir(exist_ok=True)
    path = folder / f"step-{step:08d}-{title}.png"
    Image.fromarray(np.zeros((96, 768, 3), np.uint8)).save(path)
    return path.name


def test_a_thousand_runs_are_read_once(
    store: RunStore, ask: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(store, name="the template")
    for at in range(1000):
        shutil.copytree(first.path, store.folder / f"many-20260101-{at:06d}-000000aa")
    reads: list[str] = []
    read = run_rows.row_of
    monkeypatch.setattr(run_rows, "row_of", lambda run: reads.append(run.id) or read(run))
    answer = ask.get("/api/runs")
    record = answer.json()
    assert (record["all"], record["fitting"], len(record["rows"])) == (1001, 1001, 50)
    assert record["rows"][0]["id"] == first.id  # the newest
    assert len(reads) == 1001
    again = ask.get("/api/runs", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, len(reads)) == (304, b"", 1001)
    (store.folder / "many-20260101-000500-000000aa" / STOP).touch()
    first.set_state(step=9)
    assert ask.get("/api/runs?find=TEMPLATE+digits&count=3").json()["fitting"] == 1001
    assert sorted(reads[1001:]) == sorted(["many-20260101-000500-000000aa", first.id])
    assert ask.get("/api/runs?find=many&state=failed").json()["fitting"] == 0


def test_a_run_that_waits_is_told_where() -> None:
    waits = {"state": "queued"}
    assert told(waits, place=3) == "It waits at place 3."
    assert told(waits, place=1) == "It is the next to start."
    assert told(waits, place=0) == "Its process is being started."  # nobody waits at place 0


def test_rows_and_pages_need_no_torch() -> None:
    import subprocess

    code = "import sys, app.run_rows, app.lending; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_row_shows_scores_beside_random_init(store: RunStore) -> None:
    run = made(store)
    base = {"low": 0.1, "high": 0.9, "count": 359, "data": "digits()", "seconds": 1.0}
    run.append("evaluations.jsonl", {"protocol": "knn", "step": 10, "accuracy": 0.5, **base})
    run.append("evaluations.jsonl", {"protocol": "knn", "step": 20, "accuracy": 0.8, **base})
    rows = Rows(store)
    assert "initial" not in rows.all()[0]["scores"][0]
    run.append("evaluations.jsonl", {"protocol": "knn@initial", "accuracy": 0.2, **base})
    (score,) = rows.all()[0]["scores"]  # of a run that had ended before it was measured
    assert (score["step"], score["accuracy"]) == (20, 0.8)
    assert (score["initial"]["accuracy"], score["initial"]["high"]) == (0.2, 0.9)


def test_the_page_of_a_run_says_how_to_start_it_again(store: RunStore) -> None:
    run = made(store, name="a; rm -rf ~", steps=12)
    launch = {"preset": "digits_mae_tiny", "knobs": {"steps": 12, "name": "a; rm -rf ~"}}
    write_json(run.path / "environment.json", {"launch": launch, "device": "cpu"})
    page = Pages(store).page(run)
    assert (
        page["command"] == "python -m workbench train digits_mae_tiny steps=12 'name=a; rm -rf ~'"
    )
    asked: dict[str, Any] = {}
    fake = type("Runs", (), {"launch": lambda *a, **k: asked.update(k, preset=a[-1]) or fake})
    fake.wait = staticmethod(lambda: None)  # type: ignore[attr-defined]
    text = page["python"].replace("from workbench import runs", "")
    exec(text, {"runs": fake()})
    assert asked == {"preset": "digits_mae_tiny", "steps": 12, "name": "a; rm -rf ~"}
    assert page["form"] == "/train?preset=digits_mae_tiny&steps=12&name=a%3B+rm+-rf+~"
    assert ["steps", 12, True] in page["config"] and ["batch", 128, False] in page["config"]


def test_metrics_are_followed_line_by_line(tmp_path: Path) -> None:
    run, following = Run(tmp_path), Metrics(tmp_path)
    assert following.read() == []
    path = tmp_path / METRICS
    for text in (
        '{"step": 10, "loss": 2.0}\n{"step": 20, "loss"',
        ': 1.5}\n{"step": 30, "loss": 9.0}\n',
        '{"resumed": 20}\nnot json\n{"step": 30, "loss": 1.25, "gradient": "nan"}\n',
    ):
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
        assert [row["step"] for row in following.read()][:1] == [10]
    assert following.read() == run.metrics()
    assert curves(following.read()) == {
        "loss": [[10.0, 2.0, 2.0, 2.0], [20.0, 1.5, 1.5, 1.5], [30.0, 1.25, 1.25, 1.25]]
    }
    path.write_text('{"step": 5, "loss": 1.0}\n', encoding="utf-8")  # another, shorter file
    assert [row["step"] for row in following.read()] == [5]


def test_long_curves_keep_mean_and_extremes() -> None:
    values = np.random.default_rng(0).uniform(1, 2, 1200)
    rows = [{"step": at + 1, "loss": float(value)} for at, value in enumerate(values)]
    points = np.array(curves(rows, most=100)["loss"])
    parts = values.reshape(100, 12)
    np.testing.assert_allclose(points[:, 1], parts.mean(1), rtol=1e-5)
    np.testing.assert_allclose(points[:, 2], parts.min(1), rtol=1e-5)
    np.testing.assert_allclose(points[:, 3], parts.max(1), rtol=1e-5)
    np.testing.assert_allclose(points[:, 0], np.arange(1200).reshape(100, 12).mean(1) + 1)


@pytest.mark.parametrize(
    ("state", "saved", "words"),
    [
        ({"state": "queued"}, None, "place 2"),
        ({"state": "stopping"}, 5, "file `stop`"),
        ({"state": "crashed", "reason": "killed"}, 40, "goes on after step 40"),
        ({"state": "crashed", "reason": "killed"}, None, "begins at step 0"),
        ({"state": "failed", "problem": "disk", "reason": "full"}, 40, "Make room"),
        ({"state": "failed", "problem": "nan", "reason": "loss is nan"}, 40, "learning rate"),
        ({"state": "failed", "problem": "memory", "reason": "batch=8"}, None, "smaller batch"),
    ],
)  # fmt: skip
def test_every_state_is_told_in_sentences(
    state: dict[str, Any], saved: int | None, words: str
) -> None:
    said = told(state, saved, place=2)
    assert words in said and said.endswith(".") and said[:1].isupper()
    assert str(state.get("reason", "")).lower() in said.lower()


def test_only_the_page_itself_changes_runs(store: RunStore, ask: TestClient) -> None:
    run = made(store, "queued")
    Queue(store.folder).set(paused=1)
    Queue(store.folder).add(run)
    for path in ("cancel", "resume", "evaluate", "delete"):
        assert ask.post(f"/api/runs/{run.id}/{path}", json={}).status_code == 403
    for path in ("/api/runs/queue", "/api/runs/start", "/api/runs/check"):
        assert ask.post(path, json={}).status_code == 403
    assert run.state()["state"] == "queued"
    answer = ask.post(f"/api/runs/{run.id}/cancel", json={"now": True}, headers=OURS)
    assert answer.json()["state"] == "cancelled" and Queue(store.folder).jobs() == []
    assert ask.post(f"/api/runs/{run.id}/cancel", content="[1", headers=OURS).status_code == 422
    long = json.dumps({"now": "x" * 100_000})
    assert ask.post(f"/api/runs/{run.id}/cancel", content=long, headers=OURS).status_code == 413


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "nothing", "..%2f..%2fetc", "a" * 200, "<script>", ".deleted-00"]
)
def test_names_that_are_no_runs(name: str, ask: TestClient) -> None:
    for answer in (
        ask.get(f"/api/runs/{name}"),
        ask.get(f"/api/runs/{name}/picture/x.png"),
        ask.post(f"/api/runs/{name}/delete", json={"confirm": name}, headers=OURS),
    ):
        assert answer.status_code in (403, 404, 405, 422)
        assert "Traceback" not in answer.text and "<script>" not in answer.text.replace(name, "")


def test_only_pictures_of_a_run_are_served(store: RunStore, ask: TestClient) -> None:
    run = made(store)
    name = pictured(run)
    assert Rows(store).all()[0]["picture"].startswith(f"{name}?v=")
    assert ask.get(f"/api/runs/{run.id}/picture/{name}").headers["content-type"] == "image/png"
    small = ask.get(f"/api/runs/{run.id}/picture/{name}?small=1")
    assert small.headers["content-type"] == "image/jpeg" and len(small.content) < 4000
    for other in ("config.json", "..%2fconfig.json", "step-00000020-nothing.png"):
        assert ask.get(f"/api/runs/{run.id}/picture/{other}").status_code == 404


def test_pictures_that_borrow_the_true_mean_come_with_a_note(store: RunStore) -> None:
    few = {"size": 8, "patch": 2, "dim": 16, "depth": 1, "heads": 2, "batch": 8, "steps": 1}
    for objective, lent in (("mae()", True), ("mae(norm_pix=False)", False)):
        run = store.create(RunConfig(**few, objective=objective, threads=1, picture_every=1))
        train(run)
        note = Pages(store).page(run)["pictures"]["note"]
        assert ("true mean and spread, which are not predicted" in note) is lent


def test_deleting_is_for_runs_at_rest_and_confirmed(store: RunStore, ask: TestClient) -> None:
    going, done = made(store, "running"), made(store)
    for run in (going, done):
        answer = ask.post(f"/api/runs/{run.id}/delete", json={}, headers=OURS)
        assert answer.status_code == 422 and run.path.is_dir()
    answer = ask.post(f"/api/runs/{going.id}/delete", json={"confirm": going.id}, headers=OURS)
    assert answer.status_code == 422 and "running" in answer.text and going.path.is_dir()
    pid, mark = me()
    write_json(done.path / FILE, {"state": "running", "pid": pid, "mark": mark})
    with pytest.raises(BadInput, match="evaluated"):
        delete(done)
    write_json(done.path / FILE, {"state": "running", "pid": pid, "mark": "of another"})
    assert judging(done)["state"] == "crashed"
    answer = ask.post(f"/api/runs/{done.id}/delete", json={"confirm": done.id}, headers=OURS)
    assert answer.json() == {"deleted": done.id} and not done.path.exists()
    assert [path.name for path in store.folder.glob(".deleted-*")] == []


def test_the_queue_is_paused_and_reordered(store: RunStore, ask: TestClient) -> None:
    runs = [made(store, "queued", name=f"run {at}") for at in range(3)]
    queue = Queue(store.folder)
    assert ask.post("/api/runs/queue", json={"paused": 1}, headers=OURS).json()["settings"][
        "paused"
    ]
    for run in runs:
        queue.add(run)
    ask.post("/api/runs/queue", json={"run": runs[2].id, "place": 0}, headers=OURS)
    shown = ask.get("/api/runs").json()["queue"]
    assert [job["name"] for job in shown["jobs"]] == ["run 2", "run 0", "run 1"]
    assert "queue is paused" in ask.get(f"/api/runs/{runs[0].id}").json()["told"]
    for body in ({"run": "x", "place": 0}, {"run": runs[0].id, "place": "1"}, {"slots": 0},
                 {"slots": "9"}, {"paused": True}):  # fmt: skip
        assert ask.post("/api/runs/queue", json=body, headers=OURS).status_code == 422


def test_a_run_without_a_checkpoint_cannot_be_evaluated(store: RunStore) -> None:
    with pytest.raises(BadInput, match="no checkpoint"):
        start_judging(made(store))


def test_a_model_is_downloaded_and_goes_to_other_views(store: RunStore, ask: TestClient) -> None:
    run = made(store, name="mine", objective="mae(decoder_depth=1)", dim=48, heads=4, patch=2)
    assert ask.get(f"/api/runs/{run.id}").json()["uses"] == []
    file = run.path / "checkpoints" / "step-00000007.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    address = f"/api/runs/{run.id}/checkpoint"
    answer = ask.get(f"{address}/{file.name}")
    assert answer.content == b"weights"
    assert answer.headers["content-disposition"].endswith(f'filename="{run.id}-{file.name}"')
    for other in ("step-00000008.safetensors", "..%2fconfig.json", "config.json"):
        assert ask.get(f"{address}/{other}").status_code == 404

    def uses() -> dict[str, str]:
        record = ask.get(f"/api/runs/{run.id}").json()
        return {each["text"]: each["address"] for each in record["uses"]}

    assert list(uses()) == ["Fine-tune"]  # without a decoder nothing can be filled in
    write_json(run.path / "model.json", {})
    found = uses()
    assert found["Reconstruct"] == f"/?model=run%3A{run.id}"
    assert found["Inside"] == f"/inside?network=run%3A{run.id}"
    config, wrong = linked(dict(parse_qsl(urlsplit(found["Fine-tune"]).query)))
    assert wrong == [] and (config.dim, config.heads, config.patch) == (48, 4, 2)
    assert config.objective == "supervised()" and config.init == f"run:{run.id}"
    assert config.data == "digits()" and config.name == "mine, fine-tuned"
    assert resolved(config, store.folder) == config  # the run would begin there
    write_json(run.path / "config.json", {**run.record, "objective": "supervised()"})
    (run.path / "model.json").unlink()
    assert list(uses()) == ["Inside", "Attribution"]
    write_json(run.path / "config.json", {**run.record, "objective": "ijepa()"})
    assert uses() == {}  # no class token: a run with labels would not begin there


def test_what_a_run_can_be_measured_by_depends_on_its_data(
    store: RunStore, ask: TestClient
) -> None:
    labelled = ["knn+linear_probe", "finetune"]
    for data, found in (("digits()", labelled), ("drawn_clips()", ["metric"])):
        run = made(store, data=data)
        assert ask.get(f"/api/runs/{run.id}").json()["protocols"] == found


def test_a_run_that_its_engine_dropped_is_told_to_who_looks_at_the_list(
    store: RunStore, ask: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, dropped = made(store, "queued"), made(store, "queued")
    for run, job in ((kept, "17"), (dropped, "18")):
        write_json(run.path / HANDED, {"engine": "slurm()", "job": job})
    now, questions = [0.0], list[str]()

    def active(self: Slurm, folder: str) -> set[str]:
        questions.append(folder)
        return {"17"}

    monkeypatch.setattr(Slurm, "active", active)
    asker = asking.Asker(clock=lambda: now[0])
    monkeypatch.setattr(run_routes, "asker", asker)

    def states() -> dict[str, str]:
        return {row["id"]: row["state"] for row in ask.get("/api/runs").json()["rows"]}

    states()
    until(lambda: states() == {kept.id: "queued", dropped.id: "crashed"})
    page = ask.get(f"/api/runs/{dropped.id}").json()
    assert "Slurm has ended job 18" in page["told"] and len(questions) == 1
    assert "--engine 'slurm()'" in page["command"]
    assert ask.get(f"/api/runs/{kept.id}").json()["told"] == "It waits as job 17 of slurm()."
    now[0] += asking.ASK_EVERY
    asking_thread = asker.look(store)
    assert asking_thread is not None
    asking_thread.join(20)
    assert len(questions) == 2 and asker.look(store) is None


def test_a_gpu_is_lent_while_a_run_is_on_it(store: RunStore) -> None:
    on, beside = made(store, "running", device="cuda"), made(store, "running", device="cpu")
    queue = Queue(store.folder)
    queue.set(slots=2)
    for run in (on, beside):
        queue.add(run)
        assert queue.claim() is not None
    lent: list[bool] = []
    lender = lending.Lender(lent.append)
    lender.look(store.folder, "cpu")
    lender.look(store.folder, "cpu")
    assert lent == [True] and lending.runs_on(store.folder, "cuda", "cuda") == {on.id}
    on.set_state(state="done")
    lender.look(store.folder, "cpu")
    lender.look(store.folder, "cpu")
    assert lent == [True, False]
    assert lending.runs_on(store.folder, "cpu", "cpu") == {beside.id}


def test_a_lent_gpu_is_left_by_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = sys.modules["workbench.scenes.compose"]
    asked: list[str] = []

    def loaded(name: str, device: str, *rest: object) -> None:
        asked.append(device)

    loaded.cache_clear = lambda: asked.append("forgotten")  # type: ignore[attr-defined]
    monkeypatch.setattr(compose, "_loaded", loaded)
    spec = scenes.SceneSpec()
    try:
        compose.model_of(spec)
        scenes.lend_gpu(True)
        compose.model_of(spec)
        compose.model_of(spec.replace(device="cuda"))
        scenes.lend_gpu(False)
        compose.model_of(spec)
    finally:
        compose.gpu.is_lent = False
    assert asked == ["auto", "forgotten", "cpu", "cuda", "forgotten", "auto"]
