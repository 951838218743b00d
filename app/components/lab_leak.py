"""Leak and difficulty of the lab's policies over a set of photos, measured photo by photo."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app import state, worker
from app.components.scripts import component
from app.payloads import shown
from app.sentences import whole
from workbench.data import held_out
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.scenes.lab import LabSpec
from workbench.scenes.leak_set import LeakSet, leak_over

KEY = "lab-leak"


@dataclass
class Job:
    """A measurement under way: one step is one photo of one policy, or why it cannot be had."""

    policies: tuple[str, ...]
    model: str
    seed: int
    photos: int
    steps: Iterator[tuple[str, LeakSet | str]]
    found: dict[str, LeakSet | str] = field(default_factory=dict)
    done: int = 0
    running: bool = True
    problem: str = ""

    def step(self) -> None:
        """Measure one more photo; the last step finds that there is none."""
        try:
            recipe, found = next(self.steps)
        except StopIteration:
            self.running = False
            return
        self.found[recipe] = found
        self.done += self.photos - self.done % self.photos if isinstance(found, str) else 1


def draw(spec: LabSpec) -> None:
    """A button that starts it, its progress, and the table."""
    job: Job | None = st.session_state.get("lab_leak")
    photos = [info.name for info in held_out()]
    data: dict[str, Any] = {
        "state": "idle", "mark": "", "label": f"Measure on {len(photos)} photos", "share": 0.0,
        "told": "Photos that the bundled model never saw.", "rows": [], "names": [], "old": False,
    }  # fmt: skip
    if job is not None:
        data |= _of(job, spec, len(photos))
    component("lableak")(key=KEY, data=data, on_ask_change=lambda: _asked(spec, photos))


def _of(job: Job, spec: LabSpec, photos: int) -> dict[str, Any]:
    total = photos * len(job.policies)
    old = (job.policies, job.model, job.seed) != (spec.policies, spec.scene.model, spec.scene.seed)
    told = job.problem
    if job.running:
        told = f"{job.done} of {total}"
    elif not told:
        stopped = "" if job.done == total else f"stopped after {job.done} of {total}; "
        told = f"{stopped}{'of other settings; measure again' if old else 'up to date'}"
    first = next((each for each in job.found.values() if isinstance(each, LeakSet)), None)
    names = [] if first is None else [name for name, _ in first.rows[1:]]
    return {
        "state": "running" if job.running else "done",
        "mark": str(job.done), "share": job.done / total, "told": whole(told), "old": old,
        "names": ["difficulty", *names, "explained"] if names else [],
        "rows": [_row(recipe, found) for recipe, found in job.found.items()],
    }  # fmt: skip


def _row(recipe: str, found: LeakSet | str) -> list[str]:
    if isinstance(found, str):
        return [recipe, whole(found)]
    some = "" if found.done == found.total else f" ({found.done} photos)"
    errors = [shown(error, 4) for _, error in found.rows]
    return [f"{recipe}{some}", *errors, f"{found.explained:.0%}"]


def _asked(spec: LabSpec, photos: list[str]) -> None:
    kind = ((st.session_state.get(KEY) or {}).get("ask") or {}).get("kind")
    if kind == "start":
        st.session_state["lab_leak"] = started(spec, photos)
    job: Job | None = st.session_state.get("lab_leak")
    if job is None or not job.running:
        return
    if kind == "stop":
        job.running = False
        return
    try:
        worker.run(job.step)
    except Exception as error:
        job.running, job.problem = False, state.unexpected(error)


def started(spec: LabSpec, photos: list[str]) -> Job:
    """A measurement of all policies of the lab that has not taken its first step yet."""
    scene = spec.scene
    return Job(spec.policies, scene.model, scene.seed, len(photos), _steps(spec, photos))


def _steps(spec: LabSpec, photos: list[str]) -> Iterator[tuple[str, LeakSet | str]]:
    for recipe in spec.policies:
        if MASKS.parse(recipe).domain == "frequency":
            yield recipe, "it hides frequencies, and the model fills in patches"
            continue
        try:
            for found in leak_over(spec.scene.replace(mask=recipe), [(n, None) for n in photos]):
                yield recipe, found
        except BadInput as error:
            yield recipe, str(error)
