"""Bundled photos, labelled sets and folders: found without a download, refused in a sentence."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera
from sklearn.datasets import load_digits, load_sample_images

from workbench.data import cifar10, digits, folder, held_out, photo, photos
from workbench.data.folders import MAX_SKIPPED, natural
from workbench.errors import BadInput


def test_photos_come_from_the_installed_packages() -> None:
    assert np.array_equal(photo("astronaut"), astronaut())
    assert np.array_equal(photo("camera"), np.repeat(camera()[..., None], 3, 2))
    china, flower = load_sample_images().images
    assert np.array_equal(photo("china"), china) and np.array_equal(photo("flower"), flower)


def test_every_listed_photo_opens_and_says_where_it_is_from() -> None:
    names = [info.name for info in photos()]
    assert len(names) == len(set(names)) >= 20
    for info in photos():
        pixels = photo(info.name)
        assert pixels.dtype == np.uint8 and pixels.shape[2] == 3 and min(pixels.shape[:2]) > 99
        assert info.title and info.licence and info.source.startswith("scikit-")
    first = ["astronaut", "chelsea", "coffee", "rocket", "china", "flower"]
    assert names[:6] == first
    with pytest.raises(ValueError, match="read-only"):
        photo("chelsea")[0, 0, 0] = 1


def test_held_out_photos_are_photographs_large_enough_for_a_model() -> None:
    names = {info.name for info in held_out()}
    assert {"astronaut", "china", "grass", "hubble"} <= names and len(names) == 18
    assert not names & {"page", "text", "phantom", "chessboard", "horse"}
    assert all(min(photo(name).shape[:2]) >= 256 for name in names)


def test_an_unknown_photo_is_refused_with_the_known_ones() -> None:
    for name in ("nobody", "../astronaut", "astronaut.png", ""):
        with pytest.raises(BadInput, match=r"is no bundled photo; choose one of: astronaut, chels"):
            photo(name)


def test_listing_photos_imports_neither_package() -> None:
    code = (
        "import sys\nfrom workbench.data import photo, photos\nassert len(photos()) > 9\n"
        "photo('china')\n"
        "assert not {'torch', 'skimage', 'sklearn', 'scipy', 'pooch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_digits_are_scikit_learns() -> None:
    found, wanted = digits(), load_digits()
    assert found.images.shape == (1797, 8, 8, 3) and found.images.dtype == np.uint8
    assert np.abs(found.images[..., 1] / 255 * 16 - wanted.images).max() <= 16 / 510
    assert found.images.max() == 255
    assert np.array_equal(found.labels, wanted.target) and found.classes[7] == "7"


# --- CIFAR-10 ----------------------------------------------------------------------------------


def batches(root: Path, names: list[str], **changes: Any) -> Path:
    """Files as torchvision keeps them: Python 2 pickles, protocol 2, of arrays and lists."""
    place = root / "cifar-10-batches-py"
    place.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        rng = np.random.default_rng(k)
        content = {
            "batch_label": f"batch {k}",
            "labels": rng.integers(0, 10, 20).tolist(),
            "data": rng.integers(0, 256, (20, 3072), dtype=np.uint8),
            "filenames": [f"{i}.png" for i in range(20)],
        }
        (place / name).write_bytes(pickle.dumps(content | changes, protocol=2))
    return place


def test_cifar10_is_read_from_the_folder_torchvision_uses(
    tmp_path: Path, workbench_home: Path
) -> None:
    names = [f"data_batch_{i}" for i in range(1, 6)]
    place = batches(tmp_path, [*names, "test_batch"])
    found = cifar10(tmp_path)
    assert found.images.shape == (100, 32, 32, 3) and found.classes[3] == "cat"
    flat = np.random.default_rng(0)
    labels, data = flat.integers(0, 10, 20), flat.integers(0, 256, (20, 3072), dtype=np.uint8)
    assert np.array_equal(found.labels[:20], labels)
    assert tuple(found.images[3, 5, 7]) == tuple(data[3, [5 * 32 + 7 + c * 1024 for c in range(3)]])
    assert len(cifar10(place, train=False).images) == 20
    batches(workbench_home / "data", ["test_batch"])
    assert len(cifar10(train=False).labels) == 20


def test_the_official_pickles_global_names_are_enough(tmp_path: Path) -> None:
    """numpy 1 wrote `numpy.core.multiarray`; numpy 2 writes `numpy._core.multiarray`."""
    place = batches(tmp_path, ["test_batch"])
    raw = (place / "test_batch").read_bytes()
    assert b"numpy._core.multiarray" in raw
    old = raw.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    (place / "test_batch").write_bytes(old)
    assert len(cifar10(place, train=False).labels) == 20


class Bomb:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def test_a_malicious_batch_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for function, argument in (
        (os.system, f"touch {marker}"),
        (eval, f"open({str(marker)!r},'w')"),
    ):
        for place in ("data", "labels", "extra"):
            folder_ = batches(tmp_path, ["test_batch"], **{place: Bomb(function, argument)})
            with pytest.raises(
                BadInput, match=r"is no CIFAR-10 batch \(it asks for (posix|__builtin__)"
            ):
                cifar10(folder_, train=False)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": np.zeros((20, 3071), np.uint8)}, r"data of shape \(20, 3071\)"),
        ({"data": np.zeros((20, 3072))}, r"not \(n, 3072\) of uint8"),
        ({"labels": [10] * 20}, "labels outside 0 to 9"),
        ({"labels": ["cat"] * 20}, "labels outside 0 to 9"),
    ],
)
def test_a_wrong_batch_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    place = batches(tmp_path, ["test_batch"], **changes)
    with pytest.raises(BadInput, match=rf"test_batch is no CIFAR-10 batch \(.*{reason}"):
        cifar10(place, train=False)


def test_a_missing_or_cut_batch_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"CIFAR-10 is not in .*; name the folder that holds it, or"):
        cifar10(tmp_path)
    place = batches(tmp_path, ["test_batch"])
    raw = (place / "test_batch").read_bytes()
    (place / "test_batch").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BadInput, match=r"is no CIFAR-10 batch .*; fetch it again"):
        cifar10(place, train=False)


# --- folders -----------------------------------------------------------------------------------


def test_a_folder_is_listed_in_natural_order(tmp_path: Path) -> None:
    small = Image.new("RGB", (16, 16))
    (tmp_path / "b").mkdir()
    for name in ("img10.png", "img2.PNG", "img1.jpeg", "b/x.webp", "img2b.jpg"):
        small.save(tmp_path / name)
    (tmp_path / "readme.txt").write_text("not looked at")
    (tmp_path / "broken.png").write_text("no")
    small.save(tmp_path / "renamed.gif")
    (tmp_path / "renamed.gif").rename(tmp_path / "renamed.jpg")
    Image.new("RGB", (4, 4)).save(tmp_path / "tiny.png")
    found = folder(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in found.files]
    assert names == ["b/x.webp", "img1.jpeg", "img2.PNG", "img2b.jpg", "img10.png"]
    reasons = dict(found.skipped)
    assert set(reasons) == {"broken.png", "renamed.jpg", "tiny.png"}
    assert reasons["renamed.jpg"].startswith("renamed.jpg is a GIF file, whatever its name says")
    assert natural("a") != natural("1") and sorted(["10", "9", "a1"], key=natural)[0] == "9"


def test_links_out_of_a_folder_are_left_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    for place in (inside, outside):
        Image.new("RGB", (16, 16)).save(place / "a.png")
    (inside / "link.png").symlink_to(outside / "a.png")
    (inside / "twin.png").symlink_to(inside / "a.png")
    (inside / "folder").symlink_to(outside)
    found = folder(inside)
    assert [path.name for path in found.files] == ["a.png", "twin.png"]
    assert found.skipped == (("link.png", "link.png is a link that leaves the folder"),)


def test_folders_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder; name a folder of PNG, JPEG or WebP"):
        folder(tmp_path / "none")
    with pytest.raises(BadInput, match="holds no PNG, JPEG or WebP file; name a folder of photos"):
        folder(tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "GIF")
    for k in range(MAX_SKIPPED + 1):
        (tmp_path / f"{k}.png").write_bytes(buffer.getvalue())
    with pytest.raises(BadInput, match=r"more than 100 files that cannot be used, the first of"):
        folder(tmp_path)
