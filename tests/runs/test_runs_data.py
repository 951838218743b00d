"""A run and its pictures: those it was begun with, or none."""

from pathlib import Path

import pytest

from tests.runs.conftest import Small, picture_folder
from workbench.errors import BadInput
from workbench.runs.store import RunStore
from workbench.runs.training import train


def test_a_run_does_not_go_on_with_other_pictures(
    store: RunStore, small: Small, tmp_path: Path
) -> None:
    folder = picture_folder(tmp_path / "photos", 16)
    (folder / "photo3.png").write_bytes((folder / "photo3.png").read_bytes()[:60])
    run = store.create(small(data=f'folder(path="{folder}")', size=16, patch=4, batch=4, steps=3))
    stops = iter([True, False, False])
    assert train(run, should_stop=lambda: next(stops)) == "cancelled"
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
