"""What a notebook shows of runs: cards while they train, growth and scores."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from workbench.data.sets import DATASETS
from workbench.errors import BadInput
from workbench.lessons import watching
from workbench.lessons.training import few, go_on, pixel_scores, show_comparison, show_growth, told
from workbench.lessons.watching import Watch, watch
from workbench.runs.launching import Handle
from workbench.runs.presets import run_preset
from workbench.runs.store import METRICS, PICTURES, RunStore

NAME = "<img src=x onerror=alert(1)>"


def a_run(store, steps=40, made=20, state="cancelled", **knobs):
    """The folder of a run as a trainer would have left it."""
    config = run_preset("digits_mae_tiny").changed({"steps": steps, "name": NAME, **knobs})
    run = store.create(config)
    for step in range(10, made + 1, 10):
        run.append(METRICS, {"step": step, "loss": 4.0 - step / 10})
    folder = run.path / PICTURES
    folder.mkdir()
    for step in range(0, made + 1, 10):
        for at, title in enumerate(("original", "reconstruction", "seen")):
            pixels = np.full((8, 64, 3), (40 * at + step) % 256, np.uint8)
            Image.fromarray(pixels).save(folder / f"step-{step:08d}-{title}.png")
    run.set_state(
        state=state, step=made, steps=steps, rate=1234.5, seconds_left=600, memory=50 * 2**20
    )
    return run


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def test_a_card_says_what_the_folder_says(store):
    shown = Watch([a_run(store)])
    (card,), (frames,) = shown.cards, shown.frames
    assert card["share"] == 0.5 and card["state"] == "cancelled" and card["title"] == NAME
    assert card["facts"] == "step 20 of 40, 1,234 pictures/s, 50 MB"
    assert card["told"] == "loss 2 after step 20" and card["curve"].startswith("data:image/png")
    assert "resuming begins at step 0" in card["alert"]
    assert [frame["step"] for frame in frames] == [0, 10, 20]
    titles = [strip["title"] for strip in frames[1]["strips"]]
    assert titles == ["original", "seen", "reconstruction after step 10"]
    assert repr(shown).startswith(f"{NAME}: cancelled, step 20 of 40")
    with pytest.raises(BadInput, match="no run to watch"):
        Watch([])


def test_time_left_is_told_of_runs_that_go_on(store):
    from workbench.runs.identity import me

    run = a_run(store, state="running")
    pid, mark = me()
    run.set_state(pid=pid, mark=mark)
    assert "10 min left" in Watch([run]).cards[0]["facts"]


def test_what_comes_later_is_seen_at_the_next_look(store):
    run = a_run(store)
    shown = Watch([run])
    before = shown.frames
    shown.look()
    assert shown.frames is before, "pictures are sent once"
    run.append(METRICS, {"step": 30, "loss": 0.5})
    Image.new("RGB", (64, 8)).save(run.path / PICTURES / "step-00000030-reconstruction.png")
    run.set_state(state="done", step=40)
    shown.look()
    assert shown.cards[0]["told"] == "loss 0.5 after step 30" and shown.cards[0]["share"] == 1
    assert shown.frames[0][-1]["step"] == 30 and shown.cards[0]["alert"] == ""


def test_the_still_picture_holds_every_card(store):
    runs = [a_run(store, name=name) for name in "abc"]
    one, three = Watch(runs[:1]).static_picture(), Watch(runs).static_picture()
    assert three.width == 2 * one.width and three.height == 2 * one.height
    data, _ = Watch(runs)._repr_mimebundle_()
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(data)
    waiting = RunStore(store.folder / "new").create(run_preset("digits_mae_tiny"))
    assert Watch([waiting]).static_picture().height < one.height


def test_watching_ends_with_the_runs_or_at_a_step_or_when_interrupted(store, monkeypatch):
    shown, looks = list[Watch](), list[int]()
    monkeypatch.setattr(watching, "display", lambda widget, **_: shown.append(widget))
    monkeypatch.setattr(watching, "ensure_runner", lambda folder: None)
    watch(a_run(store, state="failed"), a_run(store, state="done"))
    assert len(shown) == 1
    run = a_run(store, made=0, state="queued")

    def later(seconds):
        from workbench.runs.identity import me

        looks.append(1)
        if run.state()["state"] == "running" and len(looks) > 4:
            raise KeyboardInterrupt
        run.set_state(state="running", step=10 * len(looks), pid=me()[0], mark=me()[1])

    monkeypatch.setattr(watching.time, "sleep", later)
    watch(run, until=0)
    assert len(looks) == 1, "one that waits has not begun"
    watch(run, until=20)
    assert len(looks) == 2 and shown[-1].note == ""
    watch(run)
    assert "the run goes on" in shown[-1].note and run.state()["state"] == "running"


STAGE = """(script) => {
  const holder = document.createElement("div");
  document.body.replaceChildren(holder);
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  window.fake = { held: {}, on(names, f) { this.f = f; this.all = [...(this.all || []), f]; },
    off() {}, get(name) { return this.held[name]; } };
  window.begin = async (held) => {
    window.fake.held = held;
    (await import(url)).default.render({ model: window.fake, el: holder });
  };
  window.news = (held) => { window.fake.held = held; window.fake.all.forEach((f) => f()); };
}"""


@pytest.mark.parametrize("width", [380, 1280])
def test_cards_in_a_browser(page, store, width):
    """Names are text; the slider follows the newest picture until somebody moves it."""
    page.set_viewport_size({"width": width, "height": 800})
    run = a_run(store)
    shown = Watch([run, a_run(store, made=0)])
    told_now = {"cards": shown.cards, "frames": shown.frames, "note": ""}
    page.goto("about:blank")
    page.evaluate(STAGE, str(shown._esm))
    page.evaluate("held => window.begin(held)", told_now)
    card = page.get_by_test_id("run-card").first
    expect(card).to_contain_text(NAME)
    assert page.locator("img[src='x']").count() == 0
    expect(card.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    slider = card.get_by_role("slider")
    expect(card).to_contain_text("reconstruction after step 20")
    slider.press("ArrowLeft")
    expect(card).to_contain_text("reconstruction after step 10")
    Image.new("RGB", (64, 8)).save(run.path / PICTURES / "step-00000030-reconstruction.png")
    shown.look()
    page.evaluate("held => window.news(held)", {**told_now, "frames": shown.frames})
    expect(card).to_contain_text("reconstruction after step 10")
    slider.press("End")
    expect(card).to_contain_text("reconstruction after step 30")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lefts = {
        box["x"] for box in map(lambda c: c.bounding_box(), page.get_by_test_id("run-card").all())
    }
    assert len(lefts) == (1 if width == 380 else 2)


def test_what_is_done_stays_done_and_the_rest_goes_on(store, monkeypatch):
    resumed = list[str]()
    monkeypatch.setattr(Handle, "resume", lambda run: resumed.append(run.id) or run)
    done, stopped = (Handle(a_run(store, state=state).path) for state in ("done", "cancelled"))
    assert go_on(done) is done and not resumed
    assert go_on(stopped) is stopped and resumed == [stopped.id]


def test_growth_is_told_from_first_to_last(store):
    grown = show_growth(a_run(store, made=200, steps=200), most=4)
    words = [word for word, _ in grown.rows]
    assert words[:2] == ["original", "seen"] and words[2] == "step 0" and words[-1] == "step 200"
    assert [int(pixels[0, 0, 0]) for _, pixels in grown.rows[:3]] == [0, 80, 40]
    picture = Image.open(io.BytesIO(grown._repr_png_()))
    assert picture.width < 900
    empty = store.create(run_preset("digits_mae_tiny"))
    with pytest.raises(BadInput, match="no pictures yet"):
        show_growth(empty)
    assert few(range(5), 6) == [0, 1, 2, 3, 4]
    chosen = few(range(0, 1001, 10), 6)
    assert chosen[0] == 0 and chosen[-1] == 1000 and np.all(np.diff(np.diff(chosen)) >= 0)


def test_bare_pixels_are_scored_like_features():
    """Against neighbours found with a plain loop over the same pixels."""
    knn, probe = pixel_scores("digits()", 8)
    train, test = (DATASETS.parse("digits()").load(8, train=part) for part in (True, False))
    bank, asked = (each.images.reshape(len(each), -1).astype(float) for each in (train, test))
    right = 0
    for row, label in zip(asked, test.labels, strict=True):
        close = bank @ row / np.linalg.norm(bank, axis=1) / np.linalg.norm(row)
        first = np.argsort(-close)[:20]
        votes = np.bincount(train.labels[first], np.exp(close[first] / 0.07), 10)
        right += int(votes.argmax() == label)
    assert abs(knn.accuracy - right / len(asked)) < 0.004
    assert 0.9 < probe.accuracy < 1 and knn.count == len(asked) == 359
    assert told(knn.as_dict()).startswith(f"{knn.accuracy:.1%} (")


def test_comparisons_read_what_was_measured(store):
    runs = []
    for seed, accuracy in enumerate((0.8, 0.9)):
        run = a_run(store, seed=seed, name="")
        for protocol in ("knn", "linear_probe"):
            run.append("evaluations.jsonl", {
                "protocol": protocol, "step": 20, "data": run.record["data"], "accuracy": accuracy,
            })  # fmt: skip
        (run.path / "checkpoints").mkdir()
        (run.path / "checkpoints" / "step-00000020.safetensors").touch()
        runs.append(run)
    # Student's t with one degree of freedom: 12.706 x 0.0707 / sqrt(2).
    assert "85.0% ± 63.5%" in repr(show_comparison(runs))
