"""`models` that are there, and how to `train` and `evaluate` one."""

import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, output_folder, say, table
from workbench.commands.runs import Engine
from workbench.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.evaluations.reconstruction import ReconstructionTable
    from workbench.runs.presets import Preset
    from workbench.runs.pretrain import Progress

SAY_EVERY = 10.0
MASKS_A_PHOTO = 8


def models(as_json: AsJson = False) -> None:
    """List the models that can be named: those that fill in pixels, and networks to look inside."""
    from workbench.models.catalog import broken_cards, list_models, own_networks

    found: list[dict[str, Any]] = [
        {
            **dataclasses.asdict(info),
            "path": str(info.path),
            "weights": str(info.weights),
            "size": list(info.size),
        }
        for info in list_models()
    ]
    rows = [
        (
            info["name"],
            f"{info['rows']} x {info['cols']} patches of {info['patch']} px",
            info["sha256"][:12] or "–",
            info["title"],
        )
        for info in found
    ]
    lines = table(("model", "grid", "hash", "title"), rows)
    networks = {name: str(path) for name, path in own_networks().items()}
    lines += [
        "These fill in pixels; only to look inside (attend, explain, missingness, features), also:",
        f"  {', '.join([*networks, 'timm:NAME'])} and run:ID of any run",
    ]
    lines += [f"Left out: {sentence}" for sentence in broken_cards()]
    say({"models": found, "networks": networks, "problems": broken_cards()}, lines, as_json)


def train(
    preset: Annotated[
        str, typer.Argument(metavar="PRESET", help="Name of the set-up; see `presets`.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Knobs other than the preset's."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the run has ended.")] = False,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Make a few real steps and say what it takes.")
    ] = False,
    runs: Annotated[
        Path | None, typer.Option("--dir", help="Folder of runs; else runs in WORKBENCH_HOME.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="For default and smoke: folder of photos; may be given repeatedly."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --data: folder of the model.")] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(help="With --data: recipe of the masks; several take turns."),
    ] = None,
    steps: Annotated[
        int | None, number_option("With --data: steps, other than the preset's.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --data: go on with the run in --out.")
    ] = False,
    device: Annotated[str, typer.Option(help="With --data: auto, cpu or cuda.")] = "auto",
    masks: Annotated[
        int, number_option("With --data: masks a photo in the card's table; 0 for no table.")
    ] = MASKS_A_PHOTO,
    engine: Engine = "",
    as_json: AsJson = False,
) -> int:
    """Train a preset as a run of its own, or with --data the bundled model on folders of photos.

    A run is queued and goes on when this command has ended; look at it with `runs`.
    """
    from workbench.runs.presets import PRESETS

    if data or out is not None or preset in PRESETS:
        if not data or out is None:
            missing = "--out" if data else "--data"
            raise BadInput(
                f"train {preset} also needs {missing}: write train {preset} --data PHOTOS --out "
                "FOLDER, or take a set-up of `python -m workbench presets`."
            )
        if overrides:
            raise BadInput(f"{overrides[0]} cannot go with --data; use --steps and --mask.")
        return _train_photos(preset, data, out, mask, steps, resume, device, masks, as_json)
    _refuse_photo_options(mask, steps, resume, device, masks)
    from workbench.commands.runs import start

    return start(preset, overrides or [], runs, wait, preflight, engine, as_json)


def _refuse_photo_options(
    mask: list[str] | None, steps: int | None, resume: bool, device: str, masks: int
) -> None:
    """Say how a run is told what --data takes as options; without a word they would be lost."""
    instead = {
        "--steps": f"steps={steps}" if steps is not None else "",
        "--mask": f"mask={mask[0]!r}" if mask else "",
        "--device": f"device={device}" if device != "auto" else "",
        "--resume": "`python -m workbench runs resume RUN`" if resume else "",
        "--masks": "nothing" if masks != MASKS_A_PHOTO else "",
    }
    for option, wanted in instead.items():
        if wanted:
            raise BadInput(f"{option} goes with --data only; for a run write {wanted} instead.")


def _train_photos(
    preset: str,
    data: list[Path],
    out: Path,
    mask: list[str] | None,
    steps: int | None,
    resume: bool,
    device: str,
    masks: int,
    as_json: bool,
) -> int:
    """Train the bundled model's set-up in the foreground.

    Ctrl+C stops it at the next step; --resume goes on from there.
    """
    if masks < 0:
        raise BadInput(f"--masks is {masks}, but must be 0 or more; 8 is usual.")
    setup = _set_up(preset, steps, mask)
    _run_folder(out, resume)
    from workbench.models.formats import choose_device
    from workbench.runs.card import publish
    from workbench.runs.pretrain import pretrain

    place = str(choose_device(device))
    last: list[Progress] = []
    with stop_signal() as should_stop:
        pretrain(
            setup,
            data,
            out,
            device=place,
            report=_teller(last),
            should_stop=should_stop,
            left_out=tell_left_out,
        )
    done = last[-1].step if last else setup.steps
    record: dict[str, Any] = {"preset": preset, "step": done, "steps": setup.steps, "out": str(out)}
    if done < setup.steps:
        lines = [f"stopped after step {done} of {setup.steps}; add --resume to go on"]
        say({**record, "finished": False}, lines, as_json)
        return 0
    weights = out / "model.safetensors"
    card = publish(out, weights, f"{preset}, {setup.steps} steps", masks=masks)
    record |= {"finished": True, "model": str(weights), "sha256": card["sha256"]}
    if last:
        record |= {"loss": last[-1].loss}
    lines = [
        f"trained {setup.steps} steps; model and card: {weights}",
        f"try it: python -m workbench evaluate {weights}",
    ]
    say(record, lines, as_json)
    return 0


def _set_up(name: str, steps: int | None, recipes: list[str] | None) -> "Preset":
    """The preset of that name with the steps and recipes asked for, these in canonical form."""
    from workbench.masks import MASKS
    from workbench.runs.presets import preset

    setup = preset(name)
    if steps is not None:
        if steps < 1:
            raise BadInput(f"--steps is {steps}, but must be 1 or more.")
        setup = dataclasses.replace(setup, steps=steps)
    if recipes:
        masks = tuple(str(MASKS.parse(recipe)) for recipe in recipes)
        setup = dataclasses.replace(setup, masks=masks)
    return setup


def _run_folder(out: Path, resume: bool) -> None:
    """Make the folder of a run; BadInput where a run is that should not be, or none that should."""
    if not resume:
        output_folder(out)
    there = (out / "state.pt").is_file()
    if there and not resume:
        raise BadInput(
            f"{out} already holds a run; add --resume to go on, or choose another --out."
        )
    if resume and not there:
        raise BadInput(f"{out} holds no run to resume; leave --resume out to start one there.")


def _teller(last: "list[Progress]") -> "Callable[[Progress], None]":
    """Keep the last progress, and say it on stderr every ten seconds."""
    said = time.monotonic()

    def tell(progress: "Progress") -> None:
        nonlocal said
        last[:] = [progress]
        if time.monotonic() - said >= SAY_EVERY or progress.step == progress.steps:
            said = time.monotonic()
            typer.echo(
                f"step {progress.step} of {progress.steps}  loss {progress.loss:.4f}  "
                f"{progress.rate:.0f} crops/s  {progress.seconds_left / 60:.0f} min left",
                err=True,
            )

    return tell


@contextmanager
def stop_signal() -> Generator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into an answer "yes, stop"; the second ends at once."""
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            sys.exit(128 + number)
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model's name or a checkpoint's path.")
    ] = "default",
    data: Annotated[
        Path | None, typer.Option(help="Folder of photos; without it the bundled ones.")
    ] = None,
    masks: Annotated[int, number_option("Masks a photo and ratio.")] = 8,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="knn, linear_probe, finetune ...; may be given repeatedly."),
    ] = None,
    step: Annotated[
        str, typer.Option(help="With --protocol: step of the checkpoint, or initial.")
    ] = "",
    on: Annotated[str, typer.Option(help="With --protocol: recipe of labelled data.")] = "",
    runs: Annotated[Path | None, typer.Option("--dir", help="Folder of runs.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model beside interpolation, or with --protocol what a run has learnt.

    All fill in the same hidden pixels of the same photos; a protocol looks at frozen features.
    """
    if protocol:
        from workbench.commands.protocols import evaluate_run

        return evaluate_run(model, protocol, step, on, device, runs, as_json)
    if masks < 1:
        raise BadInput(f"--masks is {masks}, but must be 1 or more; 8 is usual.")
    pictures = _pictures(data)
    from workbench.evaluations.reconstruction import measure
    from workbench.models import load_reconstructor

    network = load_reconstructor(model, device=device, precision=precision)
    found = measure(network, pictures, name=model, masks=masks)
    say(found.as_dict(), as_lines(found), as_json)


class Photos(Sequence["tuple[str, NDArray[np.uint8]]"]):
    """The photos of a folder, opened when they are asked for: memory for one at a time."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        """Name and pixels of one photo."""
        from workbench.data import open_image

        path = self.files[index]
        return path.name, open_image(path).pixels


def _pictures(data: Path | None) -> "Sequence[tuple[str, NDArray[np.uint8]]]":
    from workbench.data import folder, held_out, photo

    if data is None:
        return [(info.name, photo(info.name)) for info in held_out()]
    found = folder(data)
    for _, reason in found.skipped:
        tell_left_out(reason)
    whole = [path for path in found.files if _opens(path)]
    if not whole:
        raise BadInput(f"no photo of {data} can be opened; name a folder of whole photos")
    return Photos(whole)


def _opens(path: Path) -> bool:
    """Whether a photo can be decoded: better known before than after an hour of measuring."""
    from workbench.data import open_image

    try:
        open_image(path)
    except BadInput as error:
        tell_left_out(str(error))
        return False
    return True


def tell_left_out(reason: str) -> None:
    """Say on stderr that a photo is not used, and why."""
    typer.echo(f"Left out: {reason}.", err=True)


def as_lines(found: "ReconstructionTable") -> list[str]:
    """The table for people."""
    names = list(found.rows[0].errors)
    rows = [
        [f"{row.ratio:.0%}", *(f"{row.errors[name]:.4f}" for name in names)] for row in found.rows
    ]
    beaten = [
        [
            f"{row.ratio:.0%}",
            "",
            *(f"{row.better[name]:.0%}" for name in names if name in row.better),
        ]
        for row in found.rows
    ]
    return [
        f"{found.model} ({found.model_hash[:12]}, {found.precision}): mean squared error on hidden "
        f"pixels in [0, 1] RGB, {len(found.photos)} photos x {found.masks_per_photo} masks",
        *table(("hidden", *names), rows),
        "share of photos on which the model is better",
        *table(("hidden", *names), beaten),
    ]
