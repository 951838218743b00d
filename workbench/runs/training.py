"""The one training loop of every objective: resumable to the bit, and plain about what happened."""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from workbench.data.sets import Pictures
from workbench.errors import BadInput
from workbench.models.catalog import RUN_CARD
from workbench.models.checkpoint import run_card
from workbench.objectives import Batch, Loss
from workbench.runs import checkpoints
from workbench.runs.config import OPERATIONAL, RunConfig, completed, difference
from workbench.runs.failing import NotFinite, limit_memory
from workbench.runs.feeding import PREPARE_SAMPLE, Feed
from workbench.runs.finishing import finish
from workbench.runs.optimising import Optimiser, learning_rate_scale
from workbench.runs.setting import Place, Setting, environment, place, setting
from workbench.runs.store import CHECKPOINTS, ENVIRONMENT, STOP, Run, write_json
from workbench.runs.trained import begin
from workbench.runs.watching import Spikes, Watchdog
from workbench.runs.writing import SHOWN, Writer

if TYPE_CHECKING:
    from workbench.runs.team import Team

OFFENDER = "offending_batch.json"


@dataclass
class Trainer:
    """Model, optimiser and data of a run, and how one step is made."""

    setting: Setting
    pictures: Pictures
    where: Place
    model: nn.Module
    optimiser: Optimiser
    feed: Feed
    team: "Team | None" = None
    step: int = 0
    carried: list[float] = field(default_factory=list)

    @staticmethod
    def ready(
        setting: Setting, pictures: Pictures, where: Place, team: "Team | None" = None
    ) -> "Trainer":
        """Build everything with its first weights."""
        torch.set_num_threads(where.threads)
        model, config = setting.build(pictures, where.device), setting.config
        rows = config.batch // (team.size if team else 1)
        first = team.rank * rows if team else 0
        feed = Feed(config, setting.objective, pictures, where.device, first, rows)
        optimiser = Optimiser(model, config, setting.objective.encoder(model))
        return Trainer(setting, pictures, where, model, optimiser, feed, team)

    @property
    def config(self) -> RunConfig:
        """The run's configuration."""
        return self.setting.config

    def progress(self, step: int) -> float:
        """How far the run is at a step, 0 to 1."""
        return min(1.0, step / max(1, self.config.steps - 1))

    def prepare(self) -> None:
        """Set up what depends on the data; on a fresh run only."""
        torch.manual_seed(self.config.seed)
        self.setting.objective.at(0).prepare(
            self.model, self.feed.sample(PREPARE_SAMPLE), self.config.seed
        )

    def losses(self, batch: Batch, step: int) -> Loss:
        """The loss of a batch; random numbers depend on (seed, step) alone."""
        progress = self.progress(step)
        objective = self.setting.objective.at(progress)
        grid = objective.grid(self.setting.shape(self.pictures))
        kind, half = self.where.device.type, self.where.precision == "bf16"
        # A context each: one would keep weights that a map cast without gradients for the loss.
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            mask = self.setting.mask(self.model, batch, grid, step, progress)
        torch.manual_seed(self.config.seed * 1_000_003 + step + 1)
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            return objective.loss(self.model, batch, mask, step, progress)

    def make_step(self) -> tuple[Batch, dict[str, float]]:
        """Make one step; returns its batch and numbers.

        Raises:
            NotFinite: the loss or a gradient is no number; the weights are those before the step.
        """
        step, config = self.step, self.config
        self.model.train()
        batch = self.feed.batch(step)
        loss = self.losses(batch, step)
        value = float(loss.total.detach())
        if self.team is not None:
            value, _ = self.team.agree(value, False)
        if not math.isfinite(value):
            raise NotFinite(f"the loss of step {step + 1} is {value}")
        loss.total.backward()
        if self.team is not None:
            self.team.average(self.model)
        numbers = {"loss": value, **_parts(loss)}
        if config.clip:
            norm = float(nn.utils.clip_grad_norm_(self.optimiser.parameters, config.clip))
            if not math.isfinite(norm):
                raise NotFinite(f"the gradient of step {step + 1} is {norm}")
            numbers["gradient"] = norm
        self.optimiser.step(learning_rate_scale(config, step))
        progress = self.progress(step)
        self.setting.objective.at(progress).after_step(self.model, progress)
        self.step += 1
        return batch, numbers

    def finite(self) -> bool:
        """Whether all weights and buffers are numbers."""
        with torch.no_grad():
            sums = [v.detach().float().sum() for v in self.model.state_dict().values()]
            return bool(torch.stack([each.to("cpu") for each in sums]).isfinite().all())

    def save(self, run: Run, write: bool = True) -> None:
        """Write a checkpoint of this step.

        Raises:
            NotFinite: a weight is no number; nothing is written.
        """
        if not self.finite():
            raise NotFinite(f"a weight after step {self.step} is no number")
        if not write:
            return
        record = {**self.config.record(), "carried": self.carried}
        parts, keep = self.optimiser.parts, self.config.keep
        place, data = run.path / CHECKPOINTS, self.pictures.mark()
        checkpoints.save(place, self.step, record, self.model, parts, keep, data)

    def restore(self, run: Run) -> bool:
        """Go to the newest checkpoint; returns whether there was one.

        Raises:
            BadInput: the run's configuration or pictures are not those the checkpoint was made
                with; the sentence names what differs.
        """
        found = checkpoints.newest(run.path / CHECKPOINTS)
        if found is None:
            return False
        carried = found.record.pop("carried", [])
        check_same(found.record, self.config.record(), run.id)
        check_same_data(found.data, self.pictures.mark(), run)
        checkpoints.restore_model(found, self.model)
        checkpoints.restore_optimisers(found, self.optimiser.parts)
        self.step, self.carried = found.step, carried
        return True

    def shown(self) -> dict[str, torch.Tensor]:
        """Pictures of the first rows under a fixed mask."""
        batch = self.feed.shown(SHOWN)
        objective = self.setting.objective.at(self.progress(self.step))
        grid = objective.grid(self.setting.shape(self.pictures))
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                mask = self.setting.mask(self.model, batch, grid, 0, 0.0)
                return dict(objective.picture(self.model, batch, mask))
        finally:
            self.model.train(training)


def check_same(old: dict[str, Any], new: dict[str, Any], name: str) -> None:
    """Refuse to go on with other numbers than a run was begun with.

    Raises:
        BadInput: with every knob that differs.
    """
    found = {k: v for k, v in difference(completed(old), new).items() if k not in OPERATIONAL}
    if found:
        said = ", ".join(f"{k} was {was!r} and is {now!r}" for k, (was, now) in found.items())
        raise BadInput(
            f"{name} was begun with another configuration ({said}); put these back, or start a new "
            "run with them."
        )


def check_same_data(old: dict[str, Any], new: dict[str, Any], run: Run) -> None:
    """Refuse to go on with other pictures; `old` lacks what its checkpoint is too old to tell.

    Raises:
        BadInput: with their numbers, or that their names, classes or files are others.
    """
    differing = {name for name, value in old.items() if value != new.get(name)}
    if not differing:
        return
    was, now = old["pictures"], new["pictures"]
    said = f"{was:,} pictures and now there are {now:,}"
    if was == now:
        others = "of other names or classes" if "names" in differing else "in files of other sizes"
        said = f"{was:,} pictures {others}"
    raise BadInput(
        f"{run.id} was begun with {said} in {run.config.data}; put them back, or start a new run "
        "with these."
    )


def train(
    run: Run,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    reading: Pictures | None = None,
    team: "Team | None" = None,
) -> str:
    """Train a run to its end, from its newest checkpoint where there is one.

    Args:
        run: its folder; every failure is written there as a state with a reason.
        should_stop: asked after every step; a file `stop` in the folder asks too.
        reading: the decoded training data, where it is at hand.
        team: the processes that share every batch; None for this one alone.

    Returns:
        The state it ended in: done or cancelled.

    Raises:
        NotFinite, MemoryError, BadInput, OSError: see `process`, which turns them into states.
    """
    config = run.config
    parts = setting(config)
    told = run.environment
    where = place(config, told)
    writes = team is None or team.rank == 0
    if writes:
        write_json(run.path / ENVIRONMENT, {**told, **environment(where)})
    pictures = reading or parts.dataset.load(config.size, train=True)
    limit_memory(config.memory)
    leader = None if team is None else team.leader
    writer = Writer(run, config.steps, config.batch, where.device, writes, leader)
    with contextlib.closing(writer):
        saved = run.checkpoints()
        begun = saved[-1][0] if saved else 0
        writer.state(state="running", step=begun, steps=config.steps, reason="", alert="")
        told_of = {row.get("sentence") for row in run.alerts()}  # before it went on
        for name, reason in pictures.skipped:
            said = f"{name} was left out: {reason}"
            if said not in told_of:
                writer.alert("data", 0, said, name=name)
        trainer = Trainer.ready(parts, pictures, where, team)
        if trainer.restore(run):
            writer.resumed(trainer.step)
            print(f"goes on after step {trainer.step}", flush=True)
        else:
            said = begin(trainer.model, parts.objective.at(0), config, run.path.parent)
            print(said or "begins at fresh weights", flush=True)
            trainer.prepare()
            if said := parts.senseless(pictures):
                writer.alert("mask", 0, said)
        if writes:
            _tell(trainer)
            _card(run, trainer)
        ended = _loop(run, trainer, writer, should_stop)
    if ended == "done" and config.evaluate and writes:
        finish(run, lambda: should_stop() or (run.path / STOP).exists())
        (run.path / STOP).unlink(missing_ok=True)
    return ended


def _tell(trainer: Trainer) -> None:
    """Say in the log what is trained, and how."""
    config, where = trainer.config, trainer.where
    count = sum(p.numel() for p in trainer.optimiser.parameters)
    hidden = trainer.setting.hides(trainer.pictures)
    fewest, most, patches = hidden or (0, 0, 0)
    counted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    realised = f", {counted} of {patches} patches hidden" if hidden else ""
    mask = trainer.setting.strategy or "no mask"
    print(f"{config.objective} under {mask}{realised}", flush=True)
    print(
        f"{len(trainer.pictures):,} pictures of {config.data}, {count:,} weights, {config.steps:,} "
        f"steps of {config.batch}; {where.device.type}, {where.precision}, {where.threads} thread"
        + ("" if where.threads == 1 else "s"),
        flush=True,
    )


def _card(run: Run, trainer: Trainer) -> None:
    """Describe a model that fills in pixels, so that it can be used like any other one."""
    config, norm_pix = trainer.config, getattr(trainer.setting.objective, "norm_pix", None)
    card = run_card(trainer.model, norm_pix, config.name or config.preset or "run")
    if card is not None:
        write_json(run.path / RUN_CARD, card)


def _loop(run: Run, trainer: Trainer, writer: Writer, should_stop: Callable[[], bool]) -> str:
    config, spikes = trainer.config, Spikes()
    stop_file = run.path / STOP
    beat: Callable[[], None] = lambda: (run.path / "beat").touch()  # noqa: E731

    def stalled(seconds: float) -> None:
        writer.alert("stall", trainer.step, f"no step for {seconds:.0f} s", seconds=seconds)

    _picture(trainer, writer, begin=True)
    with Watchdog(config.stall, stalled, beat) as dog:
        while trainer.step < config.steps:
            began = time.monotonic()
            try:
                _, numbers = trainer.make_step()
                dog.step()
                note(trainer, writer, spikes, numbers, time.monotonic() - began)
                stop = should_stop() or stop_file.exists()
                if trainer.team is not None:
                    _, stop = trainer.team.agree(0.0, stop)
                last = trainer.step == config.steps
                if stop or last or trainer.step % config.save_every == 0:
                    trainer.save(run, write=writer.active)
            except NotFinite as problem:
                _offending(run, trainer, writer, problem)
                raise
            if stop and not last:
                by_signal = not stop_file.exists()  # then it may be the machine that goes down
                stop_file.unlink(missing_ok=True)
                writer.state(
                    state="cancelled",
                    reason="stopped after a checkpoint",
                    by_signal=by_signal,
                    **writer.progress(trainer.step),
                )
                return "cancelled"
    stop_file.unlink(missing_ok=True)
    ended = {**writer.progress(trainer.step), "seconds_left": 0}
    writer.state(state="running" if config.evaluate else "done", reason="", **ended)
    return "done"


def note(
    trainer: Trainer, writer: Writer, spikes: Spikes, numbers: dict[str, float], seconds: float
) -> None:
    """Write down what a step brought."""
    step, config = trainer.step, trainer.config
    usual = spikes.look(numbers["loss"])
    if usual is not None:
        said = f"the loss jumped to {numbers['loss']:.4g} from about {usual:.4g}"
        writer.alert("spike", step, said, loss=numbers["loss"], usual=usual)
    trainer.carried.append(numbers["loss"])
    if step % config.log_every == 0 or step == config.steps:
        mean = sum(trainer.carried) / len(trainer.carried)
        trainer.carried.clear()
        row = {"step": step, "loss": mean, "last": numbers["loss"], **_rest(numbers)}
        row["lr"] = config.lr * learning_rate_scale(config, step - 1)
        row |= {"seconds": round(seconds, 5), "memory": writer.memory()}
        writer.log(row)
    writer.stepped(step, numbers["loss"])
    _picture(trainer, writer)


def _picture(trainer: Trainer, writer: Writer, begin: bool = False) -> None:
    step, every = trainer.step, trainer.config.picture_every
    due = every and (step % every == 0 or step == trainer.config.steps)
    if due and (begin or step > 0) and writer.active:
        writer.pictures(step, trainer.shown(), trainer.setting.objective.picture_note)


def _offending(run: Run, trainer: Trainer, writer: Writer, problem: NotFinite) -> None:
    """Write down which rows of the data were in the batch that brought no number.

    Where weights are none already, the update before has spoilt them: its batch is the one.
    """
    if not writer.active:
        return
    at = trainer.step - (not trainer.finite())
    ids = trainer.feed.ids(at, whole=True)
    names = [trainer.pictures.name(int(i)) for i in ids]
    saved = [step for step, _ in run.checkpoints()]
    kept = f"the checkpoint of step {saved[-1]} stays" if saved else "there is no checkpoint yet"
    sentence = f"{problem}; {kept}; its batch is in {OFFENDER}"
    record = {"step": at + 1, "ids": ids.tolist(), "names": names, "reason": str(problem)}
    write_json(run.path / OFFENDER, record)
    writer.alert("nan", at + 1, sentence)


def _rest(numbers: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if name != "loss"}


def _parts(loss: Loss) -> dict[str, float]:
    return {
        name: float(value.detach() if isinstance(value, torch.Tensor) else value)
        for name, value in loss.parts.items()
    }
