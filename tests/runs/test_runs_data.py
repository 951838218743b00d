"""A run and its pictures: those it was begun with, or none."""

from pathlib import Path

import pytest
from PIL import Image

from tests.runs.conftest import Small, picture_folder
from workbench.data.sets.folder import Folder
from workbench.errors import BadInput
from workbench.runs.store import RunStore
from workbench.runs.training import check_same_data, train


def test_a_run_does_not_go_on_with_other_pictures(
    store: RunStore, small: Small, tmp_path: Path
) -> None:
    folder = picture_folder(tmp_path / "photos", 16)
    (folder / "photo3.png").write_bytes((folder / "photo3.png").read_bytes()[:60])
    run = store.create(small(data=f'folder(path="{folder}")', size=16, patch=4, batch=4, steps=3))
    stops = iter([True, False, False])
    assert train(run, should_stop=lambda: next(stops)) == "cancelled"
    kept = (folder / "photo1.png").read_bytes()
    Image.new("RGB", (16, 16)).save(folder / "photo1.png")  # another one under the same name
    assert (folder / "photo1.png").stat().st_size != len(kept)
    with pytest.raises(BadInput, match=r"12 pictures in files of other sizes in folder.*put"):
        train(run)
    (folder / "photo1.png").write_bytes(kept)
    (folder / "photo0.png").rename(folder / "another.png")
    with pytest.raises(BadInput, match="12 pictures of other names or classes in folder"):
        train(run)
    (folder / "another.png").unlink()
    with pytest.raises(BadInput, match="begun with 12 pictures and now there are 11 in folder"):
        train(run)
    picture_folder(tmp_path / "more", 1)
    (tmp_path / "more" / "photo0.png").rename(folder / "photo0.png")
    assert train(run, should_stop=lambda: False) == "done"
    assert [row["kind"] for row in run.alerts()] == ["data"]  # told once, not at every start


def test_a_checkpoint_that_is_too_old_to_tell_everything_is_gone_on_with(
    store: RunStore, small: Small, tmp_path: Path
) -> None:
    data = Folder(path=str(picture_folder(tmp_path / "photos", 16)))
    run, mark = store.create(small()), data.load(16).mark()
    assert set(mark) == {"pictures", "names", "sizes"}
    for known in (set[str](), {"pictures", "names"}, set(mark)):
        check_same_data({name: mark[name] for name in known}, mark, run)
    part = data.load(16).rows(slice(1, None))
    assert part.sizes is not None and len(part.sizes) == len(part) == mark["pictures"] - 1
