"""Two classifiers of one architecture merged: task vectors added, learnt scales, a mask, fusion."""

import copy
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from workbench.errors import BadInput, shown
from workbench.scenes.inside import network
from workbench.scenes.layer_masking_spec import classifiers
from workbench.scenes.weights import Subject, keep, said, subject_of
from workbench.scenes.weights_spec import FEWEST, MOST, command

How = Literal["add", "scales", "concrete", "fuse"]
FIRST = "first"  # the weights that A's run began at
STEPS, INPUTS = 40, 32  # of learning, and pictures that fusion matches units on
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class MergeSpec:
    """Networks `a` and `b`, where their task vectors begin (`base`), and how they are merged.

    `base` is "" for network a (the vector of b is then the way from a to b), "first" for the first
    weights of a's run, or another network. "add" takes `scale_a` and `scale_b` times the vectors,
    "fuse" has a share `scale_b` of b; "scales" (aTLAS) and "concrete" learn from labelled pictures
    for `steps` steps.

    Raises:
        BadInput: a field out of range.
    """

    a: str
    b: str
    base: str = ""
    how: How = "add"
    scale_a: float = 1.0
    scale_b: float = 0.5
    count: int = 300
    steps: int = STEPS
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field."""
        if self.how not in get_args(How):
            raise BadInput(f"how is {shown(self.how)}, wanted one of {', '.join(get_args(How))}.")
        known = classifiers()
        for name in (self.a, self.b, self.base):
            if name not in ("", FIRST, *known):
                raise BadInput(
                    f"{shown(name)} is no network here; choose one of {', '.join(known)}."
                )
        if not all(-2 <= each <= 2 for each in (self.scale_a, self.scale_b)):
            raise BadInput(
                f"scales are {self.scale_a} and {self.scale_b}, wanted -2 to 2; take 0.5."
            )
        if not FEWEST <= self.count <= MOST or not 1 <= self.steps <= MOST:
            raise BadInput(f"count or steps are out of range; take 300 and {STEPS}.")

    def command(self) -> str:
        """The command that merges and measures the same."""
        words = ["merge", self.a, self.b, "--base", self.base, "--how", self.how]
        words += ["--scale-a", f"{self.scale_a:g}", "--scale-b", f"{self.scale_b:g}"]
        words += ["--count", str(self.count), "--seed", str(self.seed)]
        return command([*words, "--out", "weights/merged"])


@dataclass(frozen=True)
class Worth:
    """A network on the data of a and of b: shares told right with their 95% intervals."""

    name: str
    on_a: tuple[float, float, float]
    on_b: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Merging:
    """A step of merging; `worths` (a, b, base, merged) and `scales` come with the last.

    `scales` are (parameter, for a, for b) of learnt scales.
    """

    done: int
    total: int
    loss: float | None = None
    worths: tuple[Worth, ...] = ()
    scales: tuple[tuple[str, float, float], ...] = ()
    state: Any = None


def plain(found: Any) -> Any:
    """The network as timm's, so that two of them share the names of their weights."""
    from workbench.models.headed import HeadedEncoder
    from workbench.models.network import network_of
    from workbench.models.to_timm import as_timm

    if not isinstance(found.module, HeadedEncoder):
        return found
    made, _, _ = as_timm(found.module.encoder, found.module.head)
    return replace(
        network_of(made, found.name), labels=found.labels, mean=found.mean, std=found.std
    )


def merge(
    spec: MergeSpec, of: tuple[Any, Any, Any] | None = None, data: str = ""
) -> Iterator[Merging]:
    """Merge and measure.

    Args:
        spec: what to do.
        of: networks in place of a, b and the base that it names.
        data: recipe of the data for both, in place of their own.

    Raises:
        BadInput: networks of different architectures, or a way that does not go with them.
    """
    import torch

    if of is None:
        a, b, on, states = _ready(spec.a, spec.b, spec.base, spec.count, spec.seed)
    else:
        a, b, on, states = _prepared(of, spec.a, spec.b, spec.count, spec.seed, data)
    steps = stepwise(lambda watch: _merged(spec, (a, b), states, on, watch))
    merged, scales, total = None, (), 1
    while merged is None:
        try:
            at = next(steps)
            total = at.steps + 1
            yield Merging(at.step + 1, total, at.loss)
        except StopIteration as end:
            merged, scales = end.value
    worths: list[Worth] = []
    asked = copy.deepcopy(a.module)
    answering = replace(a, module=asked)
    for name, state in zip(("a", "b", "base", "merged"), (*states, merged), strict=True):
        asked.load_state_dict({n: torch.as_tensor(v) for n, v in state.items()})
        worths.append(Worth(name, *(_score(answering, each) for each in on)))
    yield Merging(total, total, None, tuple(worths), scales, merged)


def save_merged(spec: MergeSpec, state: Any, name: str) -> Path:
    """Write the merged network as a checkpoint of the user's.

    Raises:
        BadInput: a name that is taken.
    """
    found = plain(network(spec.a))
    module = copy.deepcopy(found.module)
    module.load_state_dict(state)
    return keep(replace(found, module=module), spec.a, name)


@lru_cache(maxsize=2)
def _ready(a: str, b: str, base: str, count: int, seed: int) -> tuple[Any, ...]:
    """Networks by name with their pictures, kept so that a slider need not load them again."""
    from workbench.runs.beginning import RUN
    from workbench.runs.networks import run_network

    if base == FIRST and not a.startswith(RUN):
        raise BadInput(f"{a} is no run, so its first weights are not known; take another base.")
    start = run_network(a, step="initial") if base == FIRST else network(base or a)
    return _prepared((network(a), network(b), start), a, b, count, seed)


def _prepared(
    of: tuple[Any, Any, Any], a: str, b: str, count: int, seed: int, data: str = ""
) -> tuple[Any, ...]:
    """a, b, their pictures, and the weights of a, b and the base."""
    made = [plain(each) for each in of]
    pairs = zip(made, (a, b), strict=False)
    on = [subject_of(each, name, count, seed, data) for each, name in pairs]
    return made[0], made[1], on, [_copied(each.module) for each in made]


def _copied(module: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _score(found: Any, on: Subject) -> tuple[float, float, float]:
    from workbench.evaluations.evaluation import scored

    score = scored(said(found.logits, on.images), on.labels)
    return score.accuracy, score.low, score.high


def _merged(
    spec: MergeSpec, pair: tuple[Any, Any], states: list[Any], on: list[Subject], watch: Any
) -> tuple[Any, tuple[tuple[str, float, float], ...]]:
    """Merged weights of a's architecture, and learnt scales where there are any."""
    import torch

    from workbench.models.answering import Answering
    from workbench.sparsity.merging import (
        TaskVector,
        add_vectors,
        concrete_mask,
        fuse,
        scale_blocks,
    )

    first, second, base = states
    if spec.how == "fuse":
        inputs = pair[0].prepare(on[0].learn[:INPUTS])
        fused = fuse(pair[0].module, pair[1].module, inputs, share=min(max(spec.scale_b, 0), 1))
        return fused, ()
    vectors = [TaskVector.between(base, each) for each in (first, second)]
    if spec.how == "add":
        scaled = [v.scaled(s) for v, s in zip(vectors, (spec.scale_a, spec.scale_b), strict=True)]
        return add_vectors(base, scaled, 1.0), ()
    tasks = [each.task() for each in on]

    def batches(step: int) -> Any:
        return tasks[step % 2].batches(step // 2)

    model = Answering(pair[0])

    def named(state: Any) -> dict[str, Any]:
        return {f"module.{name}": value for name, value in state.items()}

    vectors = [TaskVector.between(named(base), named(each)) for each in (first, second)]
    if spec.how == "scales":
        found = scale_blocks(model, named(base), vectors, batches, steps=spec.steps, watch=watch)
        state = found.applied(named(base), vectors)
        rows = zip(found.names, *found.values.tolist(), strict=True)
        scales = tuple((name.removeprefix("module."), one, two) for name, one, two in rows)
    else:
        mask = concrete_mask(
            model, named(base), vectors, batches, scale=spec.scale_b, steps=spec.steps,
            seed=spec.seed, watch=watch,
        )  # fmt: skip
        state, scales = mask.applied(named(base), vectors, spec.scale_b), ()
    with torch.no_grad():
        return {name.removeprefix("module."): value for name, value in state.items()}, scales


class _Stopped(Exception):
    pass


def stepwise(work: Callable[[Callable[[Any], None]], T]) -> Generator[Any, None, T]:
    """Turn work that calls `watch` after each step into a generator of what it is called with.

    The work goes on only while the next value is asked for, and ends where the generator is closed.
    """
    turns: queue.Queue[bool] = queue.Queue()
    news: queue.Queue[tuple[str, Any]] = queue.Queue()

    def watch(step: Any) -> None:
        news.put(("step", step))
        if not turns.get():
            raise _Stopped

    def run() -> None:
        if not turns.get():
            return
        try:
            news.put(("done", work(watch)))
        except _Stopped:
            pass
        except BaseException as error:
            news.put(("failed", error))

    threading.Thread(target=run, name="stepwise", daemon=True).start()
    try:
        while True:
            turns.put(True)
            kind, value = news.get()
            if kind == "failed":
                raise value
            if kind == "done":
                return value
            yield value
    finally:
        turns.put(False)
