"""Data of more than one picture a row: drawn ones are exact, folders read or refused by name."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.data.augment import augmented, augmented_maps
from workbench.data.scene_maps import CLASSES, edges
from workbench.data.scenes_drawn import scene
from workbench.data.sets import DATASETS, Pictures
from workbench.data.sets import folder as folder_set
from workbench.data.sounds import HOP, RATE, mel_filters, samples_for, spectrogram
from workbench.errors import BadInput
from workbench.seeds import Noise


def load(recipe: str, size: int = 16, train: bool = True) -> Pictures:
    return DATASETS.parse(recipe).load(size, train=train)


def test_a_clip_is_the_scenes_own_and_its_last_frame_exists() -> None:
    found = load("drawn_clips(count=10, frames=3, every=5)")
    assert found.images.shape == (10, 3, 20, 20, 3)
    frames = scene(4, 20).clip.frames
    assert np.array_equal(found.images[4], frames[[0, 5, 10]])
    with pytest.raises(BadInput, match="every=2"):
        DATASETS.parse("drawn_clips(frames=8, every=3)")


def test_pairs_are_two_views_of_one_thing_and_tests_are_other_photos() -> None:
    same = load("drawn_pairs(count=10, strength=0)").images
    assert np.array_equal(same[:, 0], same[:, 1])
    bent = load("drawn_pairs(count=10, strength=0.3)").images.astype(int)
    near = np.abs(bent[:, 0] - bent[:, 1]).mean()
    far = np.abs(bent[:, 0] - np.roll(bent[:, 1], 1, axis=0)).mean()
    assert 0 < near < 0.6 * far
    stereo = load('drawn_pairs(count=10, source="stereo")').images
    drawn = scene(3, 20)
    assert np.array_equal(stereo[3], np.stack([drawn.left.image, drawn.right.image]))
    names = [{name.partition("#")[0] for name in load("drawn_pairs(count=60)", 8, way).names}
             for way in (True, False)]  # fmt: skip
    assert names[0] and names[1] and not names[0] & names[1]


def test_modalities_and_tasks_are_what_was_drawn() -> None:
    found = load("drawn_modalities(count=10)", 24)
    drawn = scene(7, 30)
    near, labels = found.extra["depth"][7], found.extra["labels"][7]
    assert near == pytest.approx(1 - np.log(drawn.depth) / np.log(60), abs=1e-6)
    for number, name in enumerate(drawn.names, 1):
        assert (labels[drawn.objects == number] == CLASSES.index(name)).all()
    assert set(np.unique(labels[drawn.objects == 0])) <= {0, 1} and found.classes == CLASSES
    tasks = load("drawn_tasks(count=10)", 24)
    assert tasks.images.shape == (30, 4, 30, 30, 3) and tasks.classes[2] == "depth"
    row = 3 * 7 + 2
    assert tasks.labels is not None and tasks.labels[row] == 2
    assert np.array_equal(tasks.images[row, 2], drawn.image)
    assert np.array_equal(tasks.images[row, 3, ..., 0], (near * 255).astype(np.uint8))
    assert np.array_equal(tasks.extra["valid"][row, 1], drawn.depth < 60)
    assert np.array_equal(tasks.images[21, 3, ..., 0], edges(drawn.image))
    assert not any(np.array_equal(each[0], each[2]) for each in tasks.images)


def test_edges_are_sobels() -> None:
    from scipy.ndimage import sobel

    pixels = scene(1, 20).image
    grey = pixels.astype(float).mean(2)
    known = np.hypot(sobel(grey, 0, mode="nearest"), sobel(grey, 1, mode="nearest")) / 2
    assert np.abs(edges(pixels) - np.minimum(known, 255)).max() <= 1


def test_bands_differ_and_can_be_told_from_each_other() -> None:
    images = load("drawn_bands(count=10, bands=5)").images.reshape(-1, 5).astype(float)
    likeness = np.corrcoef(images.T)
    assert likeness.max(initial=0, where=~np.eye(5, dtype=bool)) < 0.999
    for band in range(5):
        others = np.column_stack([np.delete(images, band, 1), np.ones(len(images))])
        rest = images[:, band] - others @ np.linalg.lstsq(others, images[:, band])[0]
        assert rest.std() < 0.7 * images[:, band].std()


def test_a_tone_is_a_line_at_its_pitch_as_strong_as_it_is() -> None:
    columns, bands = 6, 40
    time = np.arange(samples_for(columns)) / RATE
    frequency = 1000.0
    found = spectrogram(np.sin(2 * np.pi * frequency * time), bands, columns)
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    place = (mel(frequency) - mel(60)) / (mel(7600) - mel(60)) * (bands + 1) - 1
    assert (np.abs(found.argmax(0) - (bands - 1 - place)) <= 1).all()
    assert (found.max(0) > 255 * (1 - 6 / 80)).all() and found[0].max() < 60
    assert mel_filters(bands).max() <= 1 and (mel_filters(128).sum(1) > 0).all()
    with pytest.raises(BadInput, match="samples"):
        spectrogram(time[:-1], bands, columns)
    sounds = load("drawn_sounds(count=10)", 24).images
    assert sounds.shape == (10, 24, 24, 1) and sounds.std((1, 2, 3)).min() > 10


def test_labels_stay_on_their_pixels_when_rows_are_cut_and_mirrored() -> None:
    labels = torch.from_numpy(load("drawn_modalities(count=10)", 32).extra["labels"].copy())
    pixels = (labels * 20)[..., None].repeat(1, 1, 1, 3)
    noise = Noise(0, 5, 0, 10)
    seen = augmented(pixels, noise, 32, crop=0.5, flip=True, color=0)[:, 0] * 255 / 20
    cut = augmented_maps(labels[:, None], noise, 32, crop=0.5, flip=True)[:, 0]
    assert set(cut.unique().tolist()) <= set(labels.unique().tolist())
    flat = (seen - seen.round()).abs() < 0.01  # away from borders nothing is mixed
    assert flat.float().mean() > 0.5 and (cut[flat] == seen[flat].round()).float().mean() > 0.97


def picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_folders_of_pairs_and_tasks(tmp_path: Path) -> None:
    for i in range(6):
        view = scene(i, 24)
        picture(tmp_path / "a" / "left" / f"{i}.png", view.left.image)
        picture(tmp_path / "a" / "right" / f"{i}.png", view.right.image)
        picture(tmp_path / "b" / f"x{i}_left.png", view.left.image)
        picture(tmp_path / "b" / f"x{i}_right.png", view.right.image)
        for part, pixels in (("input", view.image), ("target", 255 - view.image)):
            for k in (i, i + 6):
                picture(tmp_path / "c" / "negative" / part / f"{k}.png", pixels)
    for place in ("a", "b"):
        found = load(f'folder_of_pairs(path="{tmp_path / place}")', 24)
        assert found.images.shape == (5, 2, 30, 30, 3) and len(found.names) == 5
    (tmp_path / "b" / "x0_left.png").write_bytes(b"no picture")
    crops = load(f'folder_of_pairs(path="{tmp_path / "b"}", crops=4, share=1.0)', 8)
    assert crops.skipped[0][0] == "x0" and np.array_equal(crops.images[0], crops.images[1])
    tasks = load(f'folder_of_tasks(path="{tmp_path / "c"}")', 16)
    assert tasks.images.shape == (10, 4, 20, 20, 3) and tasks.classes == ("negative",)
    assert np.abs(255 - tasks.images[:, 0].astype(int) - tasks.images[:, 1]).max() <= 2
    for recipe in ("folder_of_pairs()", f'folder_of_pairs(path="{tmp_path / "c"}")'):
        with pytest.raises(BadInput, match=r"path is empty|left, right"):
            load(recipe)


def test_folders_of_clips_split_in_time(tmp_path: Path) -> None:
    frames = np.stack([np.full((12, 16, 3), 8 * t, np.uint8) for t in range(20)])
    np.savez(tmp_path / "a.npz", frames=frames)
    for t in range(20):
        picture(tmp_path / "b" / f"{t}.png", frames[t])
    np.save(tmp_path / "c.npy", frames.astype(np.float32))
    recipe = f'folder_of_clips(path="{tmp_path}", frames=4, stride=1)'
    train, test = (load(recipe, 16, way) for way in (True, False))
    assert [name for name, _ in train.skipped] == ["c.npy"] and len(train) == 26 and len(test) == 2
    assert train.images.max() == 8 * 15 and test.images.min() == 8 * 16
    assert (np.diff(train.images[:, :, 0, 0, 0].astype(int), axis=1) == 8).all()
    with pytest.raises(BadInput, match="40 frames"):
        load(f'folder_of_clips(path="{tmp_path}", frames=40)')


def test_a_video_file_is_read_where_opencv_can(tmp_path: Path) -> None:
    import cv2

    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
    for t in range(12):
        writer.write(np.full((32, 32, 3), (10 * t, 0, 200 - 10 * t), np.uint8))  # blue, green, red
    writer.release()
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    found = load(f'folder_of_clips(path="{tmp_path}", frames=2, stride=2)', 16)
    assert [name for name, _ in found.skipped] == ["broken.mp4"]
    first = found.images[0, 0].reshape(-1, 3).mean(0)
    assert np.abs(first - [200, 0, 0]).max() < 12


def test_folders_of_modalities_bands_and_sounds(tmp_path: Path) -> None:
    for i in range(5):
        drawn = scene(i, 24)
        picture(tmp_path / "m" / "rgb" / f"{i}.png", drawn.image)
        depth = (drawn.depth * 100).astype(np.uint16)
        depth[:3] = 0
        picture(tmp_path / "m" / "depth" / f"{i}.png", depth)
        picture(tmp_path / "m" / "labels" / f"{i}.png", drawn.objects)
        planes = np.moveaxis(drawn.image, -1, 0) if i % 2 else drawn.image
        (tmp_path / "b").mkdir(exist_ok=True)
        np.save(tmp_path / "b" / f"{i}.npy", planes.astype(np.float32) * 7 - 3)
    found = load(f'folder_of_modalities(path="{tmp_path / "m"}")', 24)
    depth, labels = found.extra["depth"], found.extra["labels"]
    assert len(found) == 4 and np.isnan(depth[:, 0]).all() and np.nanmax(depth) == 1
    assert labels.max() < len(found.classes) and np.nanmin(depth) == 0
    bands = load(f'folder_of_bands(path="{tmp_path / "b"}")', 24)
    assert bands.images.shape == (4, 30, 30, 3) and bands.images.max() == 255
    import skimage.io

    skimage.io.imsave(
        tmp_path / "b" / "9.tif", np.zeros((24, 24, 5), np.uint16), check_contrast=False
    )
    assert "5 bands" in load(f'folder_of_bands(path="{tmp_path / "b"}")').skipped[0][1]
    (tmp_path / "s").mkdir()
    with wave.open(str(tmp_path / "s" / "a.wav"), "wb") as file:
        file.setparams((2, 2, 2 * RATE, 0, "NONE", ""))
        time = np.arange(2 * RATE) / (2 * RATE)
        tone = (20000 * np.sin(2 * np.pi * 1000 * time)).astype("<i2")
        file.writeframes(np.repeat(tone, 2).tobytes())
    (tmp_path / "s" / "b.wav").write_bytes(b"RIFF nothing")
    sounds = load(f'folder_of_sounds(path="{tmp_path / "s"}")', 12)
    known = spectrogram(20000 / 32768 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE), 12, 12)
    assert [name for name, _ in sounds.skipped] == ["b.wav"] and len(sounds) >= 3
    assert np.abs(sounds.images[1, ..., 0].max(0).astype(int) - known.max()).max() < 4
    assert sounds.names[1] == f"a.wav#{12 * HOP / RATE:.2f}s"


@pytest.mark.parametrize(
    "name", [name for name in DATASETS.names() if name.startswith(("folder", "pack", "kept"))]
)
def test_a_set_that_names_no_place_is_refused_at_once(name: str) -> None:
    with pytest.raises(BadInput, match="path is empty"):
        DATASETS.parse(name).there()
    with pytest.raises(BadInput, match="there is no no-such-place"):
        DATASETS.parse(f'{name}(path="no-such-place")').there()


def test_some_rows_of_a_set_in_class_order_have_all_classes() -> None:
    labels = np.repeat([0, 2, 1], [40, 10, 50])
    images = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    few = Pictures(images, labels, ("a", "b", "c")).some(20)
    assert few.labels is not None and np.bincount(few.labels).tolist() == [8, 10, 2]
    assert len(set(few.images[:, 0, 0, 0].tolist())) == 20
    mixed = Pictures(images, np.arange(100) % 3)  # as in CIFAR-10: the first rows
    assert mixed.some(20).images[:, 0, 0, 0].tolist() == list(range(20))
    assert Pictures(images).some(20).images[-1, 0, 0, 0] == 19
    assert len(mixed.some(0)) == len(mixed.some(500)) == 100


def test_both_parts_joined_are_the_whole_set() -> None:
    parts = [load("digits()", 8, train) for train in (True, False)]
    whole = parts[0].joined(parts[1])
    assert len(whole) == sum(map(len, parts)) == 1797  # scikit-learn's count
    assert np.array_equal(whole.images[-1], parts[1].images[-1])
    assert whole.labels is not None and np.bincount(whole.labels).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    assert whole.name(len(parts[0])) == parts[1].name(0)


def photos(place: Path, count: int) -> str:
    """A folder of pictures, each of its own grey, the fourth damaged; its recipe."""
    place.mkdir()
    for i in range(count):
        picture(place / f"{i}.png", np.full((9, 9, 3), 10 * i, np.uint8))
    whole = (place / "3.png").read_bytes()
    (place / "3.png").write_bytes(whole[:50])
    return f'folder(path="{place}", skip=500)'


@pytest.mark.parametrize("train", [True, False])
def test_a_large_folder_is_mapped_from_one_file_that_is_never_emptied(
    tmp_path: Path, workbench_home: Path, monkeypatch: pytest.MonkeyPatch, train: bool
) -> None:
    recipe = photos(tmp_path / "p", 20)
    plain = load(recipe, 8, train)
    monkeypatch.setattr(folder_set, "IN_MEMORY", 0)
    first = load(recipe, 8, train)
    assert np.array_equal(first.images, plain.images) and not first.images.flags.writeable
    assert list(first.names) == list(plain.names) and first.skipped == plain.skipped
    base = first.images
    while not isinstance(base, np.memmap) and base.base is not None:
        base = base.base
    assert isinstance(base, np.memmap)
    [file] = (workbench_home / "cache").glob("*.npy")
    made = file.stat().st_ino, file.stat().st_mtime_ns
    again = load(recipe, 8, train)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == made
    assert np.array_equal(again.images, plain.images) and again.skipped == plain.skipped
    picture(tmp_path / "p" / ("0.png" if train else "4.png"), np.full((9, 9, 3), 255, np.uint8))
    assert load(recipe, 8, train).images[0].min() == 255
    assert np.array_equal(first.images, plain.images)  # who read the old ones still does
    assert len(list((workbench_home / "cache").iterdir())) == 4  # two of pictures, two notes


def test_a_decoding_that_is_ended_leaves_no_file(
    tmp_path: Path, workbench_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_set, "IN_MEMORY", 0)
    recipe = photos(tmp_path / "p", 6).replace("500", "0")
    with pytest.raises(BadInput, match="damaged"):
        load(recipe, 8)
    assert list((workbench_home / "cache").iterdir()) == []


def test_a_folder_leaves_out_as_many_pictures_as_it_is_told(tmp_path: Path) -> None:
    recipe = photos(tmp_path / "p", 20)
    for i in range(101):
        (tmp_path / "p" / f"empty-{i}.png").touch()
    found = load(recipe, 8)
    assert len(found) == 15 and len(found.skipped) == 102
    with pytest.raises(BadInput, match="more than 100 files"):
        load(recipe.replace("500", "100"), 8)


def test_labels_of_a_pack_are_classes_named_or_not(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.new("RGB", (9, 9)).save(whole, "PNG")
    blob = np.frombuffer(5 * whole.getvalue(), np.uint8)
    told = {"blob": blob, "offsets": np.arange(6) * (len(blob) // 5), "labels": [1, 0, 2, 1, 0]}
    np.savez(tmp_path / "p.npz", **told)
    found = load(f'pack(path="{tmp_path}/p.npz")', 8)
    assert found.labels is not None and found.labels.tolist() == [1, 0, 2, 1]
    assert found.classes == ("0", "1", "2")
    np.savez(tmp_path / "p.npz", **told, classes=["cat", "dog"])
    with pytest.raises(BadInput, match="the label 2, but only 2 classes"):
        load(f'pack(path="{tmp_path}/p.npz")', 8)


def test_classes_of_a_folder_are_the_same_in_both_parts(tmp_path: Path) -> None:
    for name, count in (("a", 1), ("b", 9)):
        (tmp_path / name).mkdir()
        for i in range(count):
            picture(tmp_path / name / f"{i}.png", np.zeros((9, 9, 3), np.uint8))
    train, test = (load(f'folder(path="{tmp_path}")', 8, part) for part in (True, False))
    assert train.classes == test.classes == ("a", "b")
    assert test.labels is not None and test.labels.tolist() == [1, 1]
    for part, kinds in (("train", "ac"), ("val", "bcd")):  # parts that lack each other's classes
        for kind in kinds:
            (tmp_path / "own" / part / kind).mkdir(parents=True)
            picture(tmp_path / "own" / part / kind / "0.png", np.zeros((9, 9, 3), np.uint8))
    train, test = (load(f'folder(path="{tmp_path}/own")', 8, part) for part in (True, False))
    assert train.classes == test.classes == ("a", "b", "c", "d")
    assert train.labels is not None and test.labels is not None
    assert train.labels.tolist() == [0, 2] and test.labels.tolist() == [1, 2, 3]
    few = tmp_path / "few"
    few.mkdir()
    picture(few / "0.png", np.zeros((9, 9, 3), np.uint8))
    assert len(load(f'folder(path="{few}")', 8, False)) == 0
