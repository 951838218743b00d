"""Pretraining: the loss, the schedule, and that a resumed run is the unbroken run."""

import csv
import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from workbench.data.crops import load_pool
from workbench.data.samples import photo
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid
from workbench.models.patches import patchify
from workbench.objectives.mae import mae_loss, patch_targets
from workbench.runs.card import publish
from workbench.runs.presets import PRESETS, preset
from workbench.runs.pretrain import batch_loss, build, learning_rate_scale, pretrain, progress

SMOKE = replace(PRESETS["smoke"], steps=6, save_every=3)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models crawl on several threads beside a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        colours = rng.integers(0, 255, (2, 2, 3)).astype(np.uint8)
        picture = Image.fromarray(colours).resize((96, 80), Image.Resampling.BILINEAR)
        picture.save(folder / f"{i}.png")
    (folder / "index.csv").write_text("file,licence,source\n0.png,CC0 1.0,drawn here\n")
    return folder


def test_resumed_run_equals_unbroken_run_to_the_bit(photos: Path, tmp_path: Path) -> None:
    unbroken = pretrain(SMOKE, [photos], tmp_path / "a", device="cpu").state_dict()
    steps: list[int] = []
    pretrain(
        SMOKE, [photos], tmp_path / "b", device="cpu",
        report=lambda p: steps.append(p.step), should_stop=lambda: steps[-1] == 4,
    )  # fmt: skip
    assert steps == [1, 2, 3, 4]
    resumed = pretrain(SMOKE, [photos], tmp_path / "b", device="cpu").state_dict()
    for name, value in unbroken.items():
        assert torch.equal(value, resumed[name]), name


def test_training_lowers_the_loss_on_its_own_photos(photos: Path, tmp_path: Path) -> None:
    first: list[float] = []
    set_up = replace(PRESETS["smoke"], steps=100, masks=("random(ratio=0.5)",))
    pretrain(set_up, [photos], tmp_path / "run", device="cpu",
             report=lambda p: first.append(p.loss))  # fmt: skip
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [50, 100]
    assert lines[-1]["loss"] < 0.6 * first[0]


def test_manifest_names_every_photo_with_hash_and_licence(photos: Path, tmp_path: Path) -> None:
    pretrain(replace(SMOKE, steps=1), [photos], tmp_path / "run", device="cpu")
    text = (tmp_path / "run/manifest.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["file"] for row in rows] == ["photos/0.png", "photos/1.png", "photos/2.png"]
    assert [row["licence"] for row in rows] == ["CC0 1.0", "not stated", "not stated"]
    assert all(len(row["sha256"]) == 64 for row in rows)


def test_another_set_up_in_the_same_folder_is_refused(photos: Path, tmp_path: Path) -> None:
    pretrain(replace(SMOKE, steps=1), [photos], tmp_path / "run", device="cpu")
    with pytest.raises(BadInput, match=r"seed=0 not 1.*choose another folder"):
        pretrain(replace(SMOKE, seed=1), [photos], tmp_path / "run", device="cpu")


def test_a_run_beyond_the_steps_asked_for_is_refused(photos: Path, tmp_path: Path) -> None:
    pretrain(replace(SMOKE, steps=2), [photos], tmp_path / "run", device="cpu")
    before = (tmp_path / "run/preset.json").read_text()
    with pytest.raises(BadInput, match="has made 2 steps, more than the 1 asked for"):
        pretrain(replace(SMOKE, steps=1), [photos], tmp_path / "run", device="cpu")
    assert (tmp_path / "run/preset.json").read_text() == before


@pytest.mark.parametrize("name", ["state.pt", "preset.json"])
def test_a_damaged_run_is_refused(photos: Path, tmp_path: Path, name: str) -> None:
    pretrain(replace(SMOKE, steps=1), [photos], tmp_path / "run", device="cpu")
    whole = (tmp_path / "run" / name).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"{", b"[]"):
        (tmp_path / "run" / name).write_bytes(damaged)
        with pytest.raises(BadInput, match=f"{name} (is|holds)"):
            pretrain(replace(SMOKE, steps=2), [photos], tmp_path / "run", device="cpu")


def test_a_full_disk_keeps_the_last_state(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(replace(SMOKE, steps=1), [photos], tmp_path / "run", device="cpu")
    before = (tmp_path / "run/state.pt").read_bytes()

    def full(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file data/1")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(BadInput, match=r"takes no state after step 2 .*make room and resume"):
        pretrain(replace(SMOKE, steps=2), [photos], tmp_path / "run", device="cpu")
    assert (tmp_path / "run/state.pt").read_bytes() == before
    assert not list((tmp_path / "run").glob("*.tmp"))


def test_schedule_rises_holds_and_falls_to_zero() -> None:
    p = replace(PRESETS["default"], steps=1000, warmup=100, cooldown=0.25)
    assert learning_rate_scale(0, p) == pytest.approx(0.01)
    assert learning_rate_scale(99, p) == learning_rate_scale(749, p) == 1.0
    assert learning_rate_scale(875, p) == pytest.approx(0.5)
    assert learning_rate_scale(1000, p) == 0.0


def test_loss_is_the_formula_on_hidden_patches_only() -> None:
    torch.manual_seed(0)
    model = build(PRESETS["smoke"]).eval()
    grid = Grid(4, 4, patch=12)
    mask = MASKS.parse("random(ratio=0.5)").sample(grid, count=2, seed=1)
    visible = torch.from_numpy(mask.visible_indices())
    hidden = torch.from_numpy(mask.hidden_indices())
    images = torch.randn(2, 3, 48, 48)
    loss = mae_loss(model, images, visible, hidden, norm_pix=False)
    patches = patchify(images, 12)
    with torch.no_grad():
        full = model(patches, visible, hidden, everything=True)
    where = torch.tensor(mask.hidden.reshape(2, -1))
    expected = ((full - patches) ** 2).mean(-1)[where].mean()
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_normalised_targets_have_mean_0_and_sample_variance_1() -> None:
    target = patch_targets(torch.randn(2, 3, 432) * 5 + 2, norm_pix=True)
    assert target.mean(-1).abs().max() < 1e-5
    assert (target.var(-1) - 1).abs().max() < 1e-4
    flat = patch_targets(torch.full((1, 1, 432), 0.3), norm_pix=True)
    assert torch.isfinite(flat).all()


def test_crops_depend_on_seed_and_step_alone(photos: Path) -> None:
    pool = load_pool([photos])
    a, b = pool.crops(4, 32, 0, 7), pool.crops(4, 32, 0, 7)
    assert a.shape == (4, 32, 32, 3) and np.array_equal(a, b)
    assert not np.array_equal(a, pool.crops(4, 32, 0, 8))


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        load_pool([tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no PNG, JPEG or WebP"):
        load_pool([tmp_path / "empty"])
    with pytest.raises(BadInput, match="known presets: default, smoke"):
        preset("big")


def test_photos_that_cannot_be_opened_are_left_out_and_named(photos: Path) -> None:
    whole = (photos / "0.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "text.jpg").write_text("no picture")
    (photos / "folder.png").mkdir()
    Image.new("RGB", (60, 4)).save(photos / "low.png")
    said: list[str] = []
    pool = load_pool([photos], left_out=said.append)
    assert [record.file for record in pool.records] == [f"photos/{i}.png" for i in range(3)]
    names = ("cut.png", "folder.png", "low.png", "text.jpg")
    assert len(said) == 4 and all(n in s for n, s in zip(names, said, strict=True))
    for i in range(3):
        (photos / f"{i}.png").unlink()
    with pytest.raises(BadInput, match=r"no photo of .* can be opened"):
        load_pool([photos])


def test_photos_of_every_shape_give_crops(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 8), "teal").save(tmp_path / "thin.png")
    assert load_pool([tmp_path]).crops(8, 48, 0, 0).shape == (8, 48, 48, 3)


def test_photos_lie_as_their_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 32)).save(tmp_path / "turned.jpg", exif=exif)
    assert load_pool([tmp_path]).pictures[0].shape == (64, 32, 3)


def test_photos_that_fill_the_memory_are_refused(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Namespace(available=2 * 96 * 80 * 3)  # 80% of it holds one photo, not two
    monkeypatch.setattr(psutil, "virtual_memory", lambda: room)
    with pytest.raises(BadInput, match="after 2 photos"):
        load_pool([photos])


@pytest.mark.parametrize("table", [b"nonsense\nx\n", b"\xff\xfe\x00", b"file\n" + b"x" * 200_000])
def test_a_table_of_licences_that_is_none_is_named(photos: Path, table: bytes) -> None:
    (photos / "index.csv").write_bytes(table)
    with pytest.raises(BadInput, match=r"index\.csv is no table"):
        load_pool([photos])


def test_schedules_run_from_the_first_step_to_the_last(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [progress(step, SMOKE) for step in (0, 1, 5)] == [0, 0.2, 1]
    assert progress(0, replace(SMOKE, steps=1)) == 0
    drawn: list[int] = []
    strategy = MASKS.get("random")
    sample = strategy.sample

    def watched(self, *args, **kwargs):
        mask = sample(self, *args, **kwargs)
        drawn.extend(set(mask.counts.tolist()))
        return mask

    monkeypatch.setattr(strategy, "sample", watched)
    recipe = "random(ratio=ramp(0.25, 0.75))"
    pretrain(replace(SMOKE, masks=(recipe,)), [photos], tmp_path / "run", device="cpu")
    assert drawn == [4, 6, 7, 9, 10, 12]  # floor(16 ratio + 0.5) at 0.25, 0.35, ... 0.75
    card = publish(tmp_path / "run", tmp_path / "model.safetensors", "a model", masks=0)
    assert card["preset"]["masks"] == [recipe]


def test_a_stack_of_layers_trains(photos: Path) -> None:
    recipe = (
        'layers(a=random(ratio=0.5), b=layer(painted(hide="0-3"), op="minus"), '
        'c=painted(hide="12-15"), lock=0.5)'
    )
    set_up = replace(SMOKE, masks=(recipe,))
    model = build(set_up)
    loss = batch_loss(model, load_pool([photos]), set_up, 0, torch.device("cpu"))
    assert torch.isfinite(loss) and float(loss.detach()) > 0
    loss.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    free = replace(SMOKE, masks=("layers(a=random(ratio=0.5), b=random(ratio=0.5))",))
    with pytest.raises(BadInput, match="indices need equal counts; use an exact strategy"):
        batch_loss(model, load_pool([photos]), free, 0, torch.device("cpu"))


def test_no_model_trains_on_the_photos_it_is_measured_on(photos: Path) -> None:
    Image.fromarray(photo("chelsea")).save(photos / "my cat.png")
    said: list[str] = []
    pool = load_pool([photos], left_out=said.append)
    assert len(pool.pictures) == 3
    assert said == [
        "my cat.png is the bundled photo chelsea, on which checkpoints are measured; it is left "
        "out of the training."
    ]
