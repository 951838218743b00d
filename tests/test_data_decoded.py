"""Files of decoded pictures: what is long unused goes where there is too much; no reader fails."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import doctor
from workbench.data import decoded as kept
from workbench.data.sets import folder as folder_set
from workbench.data.sets.folder import Folder

WEEK = 7 * 24 * 3600
SIDE, COUNT = 10, 10  # eight of them are for training
EACH = 8 * SIDE * SIDE * 3


@pytest.fixture(autouse=True)
def small_files(workbench_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_set, "IN_MEMORY", 0)
    monkeypatch.setattr(kept, "KEEP_BYTES", 3 * (EACH + 128))  # three files with their headers


def photos(place: Path, grey: int) -> Folder:
    place.mkdir()
    for i in range(COUNT):
        Image.new("RGB", (9, 9), (grey, grey, i)).save(place / f"{i}.png")
    return Folder(path=str(place))


def unused_since(home: Path, days: float) -> set[Path]:
    """Make all there is as old as that; returns the files of pictures."""
    then = time.time() - days * 24 * 3600
    for file in (home / "cache").iterdir():
        os.utime(file, (then, then))
    return files(home)


def files(home: Path) -> set[Path]:
    return set((home / "cache").glob("*.npy"))


def test_what_was_unused_longest_goes_and_its_reader_reads_on(
    tmp_path: Path, workbench_home: Path
) -> None:
    sets = [photos(tmp_path / str(i), 10 * i) for i in range(5)]
    first = sets[0].load(8).images
    oldest = unused_since(workbench_home, 30)
    second = sets[1].load(8).images
    unused_since(workbench_home, 20)
    sets[0].load(8)  # asked for again: now the second is the one that was unused longest
    third = sets[2].load(8).images
    assert len(files(workbench_home)) == 3
    whole = sets[3].load(8).images
    left = files(workbench_home)
    assert len(left) == 3 and oldest < left
    assert len(list((workbench_home / "cache").iterdir())) == 6  # each with its note
    for grey, images in ((0, first), (10, second), (20, third), (30, whole)):
        assert (images[..., 0] == grey).all()  # removed from under its reader or not
    again = sets[1].load(8).images  # what was removed is decoded anew
    assert np.array_equal(again, second)
    assert len(files(workbench_home)) == 4  # all were used within the week


def test_what_ended_processes_left_goes(tmp_path: Path, workbench_home: Path) -> None:
    place = workbench_home / "cache"
    place.mkdir(parents=True)
    for name, age in ((".pictures-a.npy.17", WEEK + 60), (".pictures-b.npy.18", 60)):
        (place / name).write_bytes(b"half")
        os.utime(place / name, (time.time() - age, time.time() - age))
    photos(tmp_path / "one", 0).load(8)
    assert [file.name for file in place.glob(".*")] == [".pictures-b.npy.18"]


def test_a_file_that_is_removed_while_it_is_made_harms_nobody(
    tmp_path: Path, workbench_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def replaced(own: Path, target: Path) -> Path:
        found = replace(own, target)
        if target.suffix == ".npy":
            target.unlink()  # as another process may, at once
        return found

    monkeypatch.setattr(Path, "replace", replaced)
    assert (photos(tmp_path / "one", 40).load(8).images[..., 0] == 40).all()
    assert files(workbench_home) == set()


def test_the_doctor_tells_what_is_kept(tmp_path: Path, workbench_home: Path) -> None:
    assert [each.name for each in doctor.places()] == ["home"]
    photos(tmp_path / "one", 0).load(8)
    _, cache = doctor.places()
    assert cache.name == "cache" and cache.state == "ok"
    assert cache.found.startswith("0.0 MB of decoded pictures in 1 file; ")
    assert str(workbench_home / "cache") in cache.found
