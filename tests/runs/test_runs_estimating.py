"""How long a run will take, told by runs that are done and like it."""

from pathlib import Path

from workbench.runs.config import RunConfig
from workbench.runs.estimating import usual_seconds
from workbench.runs.store import RunStore


def test_only_runs_that_are_done_and_alike_tell_the_time(tmp_path: Path) -> None:
    store, config = RunStore(tmp_path), RunConfig()
    assert usual_seconds([config], tmp_path) is None
    store.create(config).set_state(state="done", rate=100.0)
    store.create(config).set_state(state="cancelled", rate=1.0)
    for knobs in ({"dim": 48}, {"size": 64}, {"data": "drawn()"}, {"objective": "simmim()"}):
        store.create(config.changed(knobs)).set_state(state="done", rate=2.0)
    short = config.changed({"steps": 50, "batch": 64})
    assert usual_seconds([short], tmp_path) == 50 * 64 / 100
    assert usual_seconds([short, config.changed({"dim": 48})], tmp_path) == 32 + 64_000
    assert usual_seconds([short, config.changed({"depth": 2})], tmp_path) is None
