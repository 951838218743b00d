"""`weights`: which weights of a classifier are hidden, what the rest is worth, networks merged."""

import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, as_text, output_folder, say, table, write_bytes
from workbench.commands.progress import Telling
from workbench.errors import BadInput

weights = typer.Typer(help="Hide weights of a classifier, merge two.", no_args_is_help=True)
Model = Annotated[str, typer.Option(help="A classifier: run:ID, a name of yours, or timm:NAME.")]
Out = Annotated[Path, typer.Option(help="Folder for what is found and report.json.")]
Count = Annotated[int, number_option("Test pictures to measure on.")]
Seed = Annotated[int, number_option("Decides pictures and whatever is drawn.")]


@weights.callback()
def about() -> None:
    """Hide weights of a classifier, merge two."""


@weights.command()
def hide(
    way: Annotated[str, typer.Argument(help="Such as 'magnitude(ratio=0.5)' or n_m.")],
    model: Model,
    out: Out,
    count: Count = 300,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Hide weights and measure what the rest is worth: masks.npz, layers.png, report.json."""
    from workbench.plots.contact_sheet import contact_sheet
    from workbench.scenes.weights import hide as steps
    from workbench.scenes.weights import layers, subject
    from workbench.scenes.weights_spec import WeightsSpec

    spec = WeightsSpec(network=model, hide=way, count=count, seed=seed)
    last = _last(steps(spec))
    masks, measure = last.masks, subject(model, count, seed).measure
    folder, shown = output_folder(out), layers(masks)
    masks.save(folder / "masks.npz")
    wide = math.ceil(math.sqrt(len(shown)))
    tiles = {(at // wide, at % wide): _tile(each.kept) for at, each in enumerate(shown)}
    names = [f"{row * wide}" for row in range(math.ceil(len(shown) / wide))]
    write_bytes(folder / "layers.png", _png(contact_sheet(tiles, names, [""] * wide)))
    record: dict[str, Any] = {
        "model": model, "hide": masks.recipe, "count": count, "seed": seed, "measure": measure,
        "hidden": masks.count, "total": masks.total, "ratio": masks.ratio,
        "before": _score(last.before), "after": _score(last.after),
        "layers": [
            {"name": each.name, "shape": list(each.shape), "hidden": each.ratio} for each in shown
        ],
    }  # fmt: skip
    write_bytes(folder / "report.json", as_text(record).encode())
    lines = [
        f"{masks.count:,} of {masks.total:,} weights hidden ({masks.ratio:.1%}) by {masks.recipe}: "
        f"{_told(record['before'])} {measure} before, {_told(record['after'])} now"
    ]
    rows = [(each.name, " x ".join(map(str, each.shape)), f"{each.ratio:.1%}") for each in shown]
    lines += table(("layer", "weights", "hidden"), rows)
    say(record, [*lines, f"written to {out}"], as_json)


@weights.command()
def curve(
    model: Model,
    out: Out,
    ways: Annotated[str, typer.Option(help="With ; between; each at every share it can.")] = (
        "magnitude; random; gradient; rows"
    ),
    count: Count = 300,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure what is left of a network at growing sparsity, by each way; report.json."""
    from workbench.interventions.intervening import split_recipes
    from workbench.scenes.weights import points, values
    from workbench.scenes.weights_spec import WeightsSpec

    named = tuple(split_recipes(ways))
    spec = WeightsSpec(network=model, ways=named, count=count, seed=seed)
    ticker, found = Telling("points"), list[dict[str, Any]]()
    for value in values(spec):
        found += [] if value is None else [vars(value)]
        ticker.tell(len(found), points(named))
    ticker.end()
    record = {"model": model, "count": count, "seed": seed, "points": found}
    write_bytes(output_folder(out) / "report.json", as_text(record).encode())
    rows = [
        (each["way"], f"{each['kept']:.0%}",
         each["note"] or f"{each['share']:.1%} [{each['low']:.1%}, {each['high']:.1%}]")
        for each in found
    ]  # fmt: skip
    say(record, [*table(("way", "kept", "worth"), rows), f"written to {out}"], as_json)


@weights.command()
def merge(
    a: Annotated[str, typer.Argument(help="A classifier.")],
    b: Annotated[str, typer.Argument(help="Another of the same architecture.")],
    out: Out,
    base: Annotated[
        str, typer.Option(help="Where task vectors begin: a network, first, or empty for A.")
    ] = "",
    how: Annotated[str, typer.Option(help="add, scales, concrete or fuse.")] = "add",
    scale_a: Annotated[float, typer.Option(help="Of A's vector.")] = 1.0,
    scale_b: Annotated[float, typer.Option(help="Of B's vector; with fuse its share.")] = 0.5,
    save: Annotated[str, typer.Option(help="Keep the merge under this name.")] = "",
    count: Count = 300,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Merge two classifiers and measure both, the base and the merge on the data of each."""
    from workbench.scenes.merging import MergeSpec, save_merged
    from workbench.scenes.merging import merge as steps

    spec = MergeSpec(
        a=a, b=b, base=base, how=how, scale_a=scale_a, scale_b=scale_b, count=count, seed=seed,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    last = _last(steps(spec))
    record: dict[str, Any] = {
        "a": a, "b": b, "base": base, "how": how, "scale_a": scale_a, "scale_b": scale_b,
        "count": count, "seed": seed, "scales": last.scales,
        "worths": [
            {"name": each.name, "on_a": list(each.on_a), "on_b": list(each.on_b)}
            for each in last.worths
        ],
    }  # fmt: skip
    if save:
        record["saved"] = str(save_merged(spec, last.state, save))
    write_bytes(output_folder(out) / "report.json", as_text(record).encode())
    rows = [
        (each.name, *(f"{value:.1%} [{low:.1%}, {high:.1%}]" for value, low, high in pair))
        for each in last.worths
        for pair in [(each.on_a, each.on_b)]
    ]
    lines = table(("", "on the data of A", "on the data of B"), rows)
    lines += [f"kept as {save}"] if save else []
    say(record, [*lines, f"written to {out}"], as_json)


@weights.command()
def shared(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A network.")],
    first: Annotated[str, typer.Argument(help="A class of its data, or a bundled photo.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    out: Out,
    on: Annotated[str, typer.Option(help="classes or photos.")] = "classes",
    price: Annotated[float, typer.Option(help="Of an open gate.")] = 0.02,
    as_json: AsJson = False,
) -> None:
    """Find the dimensions of a network's features in which a pair is alike."""
    from workbench.scenes.subspace import of_classes, of_photos

    if on not in ("classes", "photos"):
        raise BadInput(f"--on is {on!r}, wanted classes or photos.")
    learn = of_classes if on == "classes" else of_photos
    last = _last(learn(model, first, second, price=price))
    record = {
        "model": model, "first": first, "second": second, "on": on, "price": price,
        "chosen": list(last.chosen), "gates": last.gates.tolist(), "before": list(last.before),
        "after": list(last.after),
    }  # fmt: skip
    write_bytes(output_folder(out) / "report.json", as_text(record).encode())
    lines = [
        f"{len(last.chosen)} of {len(last.gates)} dimensions stay open: the pair's cosine is "
        f"{last.before[0]:.2f} in all of them and {last.after[0]:.2f} in these, that with others "
        f"{last.before[1]:.2f} and {last.after[1]:.2f}"
    ]
    say(record, [*lines, f"written to {out}"], as_json)


def _last(steps: Iterable[Any]) -> Any:
    """Follow long work to its last step, telling how far it is."""
    ticker, last = Telling("steps"), None
    for last in steps:
        ticker.tell(last.done, last.total)
    ticker.end()
    return last


def _score(score: Any) -> list[float]:
    return [score.accuracy, score.low, score.high]


def _told(score: list[float]) -> str:
    return f"{score[0]:.1%} [{score[1]:.1%}, {score[2]:.1%}]"


def _tile(kept: Any) -> Any:
    """A layer's picture, 128 px wide, white where its weights are kept."""
    import numpy as np
    from PIL import Image

    grey = Image.fromarray(np.rint(kept * 255).astype(np.uint8))
    return np.asarray(grey.resize((128, 128), Image.Resampling.NEAREST).convert("RGB"))


def _png(pixels: Any) -> bytes:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()
