"""`explain` a prediction, and `missingness`: what is said as more and more goes missing."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import (
    AsJson,
    as_text,
    check_folder,
    output_folder,
    say,
    table,
    write_bytes,
)
from workbench.commands.progress import Telling
from workbench.errors import BadInput

PARTS = {"test": (False,), "train": (True,), "all": (True, False)}
WHICH = {
    "test": ", those kept for testing (--part all takes every one)",
    "train": ", those for training", "all": "",
}  # fmt: skip
Model = Annotated[
    str, typer.Option(help="A classifier: run:ID, a folder, a checkpoint's path, timm:NAME.")
]
Weights = Annotated[Path | None, typer.Option(help="With timm:NAME, a file of its weights.")]


def explain(
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A PNG, JPEG or WebP file, or a photo's name.")
    ],
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for map.png, over.png, map.npy, report.json.")],
    method: Annotated[
        str, typer.Option(help="Such as 'rise(count=500)', occlusion; several with ; between.")
    ] = "integrated_gradients",
    remove_with: Annotated[
        str, typer.Option(help="A fill, or layer_mask, drop_tokens, hide_keys.")
    ] = "grey",
    target: Annotated[
        str | None, typer.Option(help="Class by name or number; else the top.")
    ] = None,
    judge: Annotated[
        str, typer.Option(help="Ways of removing for the curves, with ; between; empty for none.")
    ] = "black; blur",
    weights: Weights = None,
    fit: Annotated[str, typer.Option(help="crop, letterbox or resize.")] = "crop",
    seed: Annotated[int, number_option("Decides whatever is drawn.")] = 0,
    batch: Annotated[int, number_option("Pictures at a time at most; bounds the memory.")] = 16,
    draws: Annotated[int, number_option("Repetitions while judging.")] = 3,
    precision: Annotated[
        str, typer.Option(help="fp32, bf16 (quicker, less exact), or auto: what pays here.")
    ] = "fp32",
    as_json: AsJson = False,
) -> None:
    """Say which parts of a photo a class rests on, and judge it by removing them.

    Beside the marks stand those of a random and of a centred map. A network without classes is
    asked what its features of the photo rest on. Several methods have a folder each.
    """
    from workbench.commands.inside import opened
    from workbench.runs.networks import named_network
    from workbench.scenes.attribution import attributions
    from workbench.scenes.attribution_spec import AttributionSpec, recipes_in

    check_folder(out)
    pixels, notes = opened(photo)
    network = named_network(model, weights)
    ways = recipes_in(judge)
    spec = AttributionSpec(
        photo=photo, fit=fit, network=model, target=target or "", methods=recipes_in(method),  # pyright: ignore[reportArgumentType]
        remove=remove_with, judge=bool(ways), ways=ways or AttributionSpec.ways, seed=seed,
        batch=batch, draws=draws, precision=precision,
    )  # fmt: skip
    told = _followed(attributions(spec, pixels, [network]))
    said = told["said"]
    common = {
        "photo": photo, "model": model, "fit": fit, "seed": seed, "grid": said.grid.record(),
        "warnings": [*notes, *said.notes],
    }  # fmt: skip
    records: list[dict[str, Any]] = []
    for made in told["maps"]:
        record = {**common, **made.found.as_dict(), **_marks(made.method, told["judged"])}
        single = len(told["maps"]) == 1
        folder = out if single else out / f"{len(records) + 1}-{made.method.partition('(')[0]}"
        _write(folder, made.found, said.photo, record)
        records.append(record)
    whole = records[0] if len(records) == 1 else {"maps": records}
    if len(records) > 1:
        write_bytes(out / "report.json", as_text(whole).encode())
    say(whole, [*(line for each in records for line in _told(each)), f"written to {out}"], as_json)


def _followed(steps: Iterable[Any]) -> dict[str, Any]:
    """What came of the work: `maps`, `judged` by method, and what was `said`."""
    ticker, told = Telling("pictures"), dict[str, Any](maps=[], judged={}, said=None)
    for made in steps:
        ticker.tell(made.done, made.total)
        told["said"] = made.said or told["said"]
        if made.map is not None and made.map.problem:
            raise BadInput(made.map.problem)
        if made.map is not None:
            told["maps"].append(made.map)
        if made.judged is not None:
            told["judged"][made.judged.method] = made.judged
    ticker.end()
    return told


def _write(folder: Path, found: Any, photo: Any, record: dict[str, Any]) -> None:
    import numpy as np

    from workbench.plots.attribution import attribution_map, attribution_over

    output_folder(folder)
    write_bytes(folder / "map.png", _png(attribution_map(found.scaled(), photo.shape[:2])))
    write_bytes(folder / "over.png", _png(attribution_over(photo, found.scaled())))
    kept = io.BytesIO()
    np.save(kept, found.values)
    write_bytes(folder / "map.npy", kept.getvalue())
    write_bytes(folder / "report.json", as_text(record).encode())


def _marks(method: str, judged: dict[str, Any]) -> dict[str, Any]:
    """Curves and marks of one map and of the baselines."""
    curves: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for each in judged.values():
        if each.method != method and not each.baseline:
            continue
        name = "map" if each.method == method else each.method.partition("(")[0]
        curves += [
            {
                "map": name, "kind": curve.kind, "removal": curve.operator, "area": curve.area,
                "shares": curve.shares.tolist(), "values": curve.values.tolist(),
            }
            for curve in each.curves
        ]  # fmt: skip
        marks.append(
            {
                "map": name, "road": each.road.combined, "infidelity": each.infidelity,
                "sensitivity": each.sensitivity, "layers": list(each.layers),
                "randomised": list(each.randomised),
            }
        )  # fmt: skip
    return {"judged": curves, "marks": marks}


def _told(record: dict[str, Any]) -> list[str]:
    removed = f", removed with {record['removal']}" if record["removal"] else ""
    lines = [
        f"{record['label']} ({record['score']:.1%}) by {record['method']}{removed}, "
        f"{record['evaluations']} picture{'s' * (record['evaluations'] != 1)} shown"
    ]
    if record["blank"]:
        lines.append("The map is one value everywhere: it says nothing.")
    lines += [f"{name}: {value:.4g}" for name, value in record["notes"].items()]
    rows = [
        (each["map"], each["kind"], each["removal"], f"{each['area']:.3f}")
        for each in record["judged"]
    ]
    if rows:
        lines += table(("map", "curve", "removed with", "area"), rows)
        lines.append("A good map has a smaller deletion and a larger insertion area than random.")
        lines += table(("map", "ROAD", "infidelity", "sensitivity", "random weights"), [
            (each["map"], f"{each['road']:.3f}", f"{each['infidelity']:.3f}",
             "-" if each["sensitivity"] is None else f"{each['sensitivity']:.3f}",
             ", ".join(f"{value:.2f}" for value in each["randomised"]) or "-")
            for each in record["marks"]
        ])  # fmt: skip
        lines.append(
            "ROAD: higher is better; infidelity and sensitivity: lower. With random weights in the "
            "head, half and all layers the map should not stay: the last number should be near 0."
        )
    return lines + list(record["warnings"])


def missingness(
    model: Model,
    data: Annotated[
        str,
        typer.Option(help="Recipe of pictures, such as 'cifar10' or 'folder(path=\"photos\")'."),
    ] = "photos",
    remove_with: Annotated[
        str, typer.Option(help="Ways of removing, with ; between; empty for all that go.")
    ] = "",
    order: Annotated[
        str, typer.Option(help="random, salient_first, salient_last, with ; between.")
    ] = "random",
    shares: Annotated[str, typer.Option(help="Shares to remove, with ; between.")] = (
        "0; 0.1; 0.25; 0.5; 0.75; 0.9"
    ),
    part: Annotated[
        str, typer.Option(help="test, train or all; a folder without parts keeps a fifth to test.")
    ] = "test",
    count: Annotated[int, number_option("Pictures at most.")] = 200,
    grid: Annotated[
        str, typer.Option(help="ROWSxCOLS of cells; else patches, in a convnet 16 pixels or less.")
    ] = "",
    weights: Weights = None,
    out: Annotated[Path | None, typer.Option(help="Also write the numbers as this .json.")] = None,
    seed: Annotated[int, number_option("Decides the random order.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how a classifier's answers change as growing parts of pictures go missing."""
    from workbench.commands.masks import parse_grid
    from workbench.evaluations.missingness import missingness as measure
    from workbench.explain.removal import cells_of
    from workbench.runs.networks import named_network

    _check(count, out)
    network = named_network(model, weights)
    taken = _pictures(data, part, max(network.size), count, seed)
    images = _fitted(taken.images, network.size)
    labels = taken.labels if network.classes == len(taken.classes) else None
    operators = _parts(remove_with) or _all_for(network.kind)
    orders, levels = _parts(order), [_number(each) for each in _parts(shares)]
    total = len(orders) * len(operators) * len(levels)
    cells = parse_grid(grid, network.patch) if grid else None
    ticker = Telling("settings")
    found: list[dict[str, Any]] = []
    for each in measure(
        network, images, labels, operators=operators, orders=orders, shares=levels,  # pyright: ignore[reportArgumentType]
        grid=cells, seed=seed,
    ):  # fmt: skip
        found.append(each.summary())
        ticker.tell(len(found), total)
    ticker.end()
    record = {
        "model": model, "data": data, "part": part, "count": len(images), "seed": seed,
        "grid": (cells or cells_of(network, network.size)).record(), "rows": found,
    }  # fmt: skip
    if out is not None:
        write_bytes(out, as_text(record).encode())
    say(record, _table(found, part, labels is not None), as_json)


def _pictures(data: str, part: str, side: int, count: int, seed: int) -> Any:
    """At most `count` pictures of a part, drawn by the seed."""
    import numpy as np

    from workbench.data.sets import DATASETS

    if part not in PARTS:
        raise BadInput(f"--part is {part!r}, wanted {', '.join(PARTS)}.")
    found = DATASETS.parse(data)
    parts = [found.load(side, train=train) for train in PARTS[part]]
    loaded = parts[0] if len(parts) == 1 else parts[0].joined(parts[1])
    if not len(loaded):
        raise BadInput(
            f"{data} leaves no picture in the part {part} (of 5, one is for testing); add some, or "
            "take --part all."
        )
    return loaded.rows(np.sort(np.random.default_rng(seed).permutation(len(loaded))[:count]))


def _check(count: int, out: Path | None) -> None:
    if count < 1:
        raise BadInput(f"--count is {count}, but must be 1 or more; 200 is usual.")
    if out is not None:
        check_folder(out.parent)


def _table(found: list[dict[str, Any]], part: str, labelled: bool) -> list[str]:
    def span(row: dict[str, Any], name: str, form: str = ".2f") -> str:
        return f"{row[name]:{form}} [{row[name + '_low']:{form}}, {row[name + '_high']:{form}}]"

    header = ["order", "removed with", "share", "same class", "class entropy", "confidence"]
    rows: list[list[str]] = []
    for row in found:
        cells = [row["order"], row["operator"], f"{row['share']:.2f}", span(row, "same"),
                 span(row, "class_entropy"), span(row, "confidence")]  # fmt: skip
        rows.append([*cells, span(row, "accuracy")] if labelled else cells)
    lines = table([*header, "accuracy"] if labelled else header, rows)
    count = found[0]["count"]
    lines.append(
        f"On {count} picture{'s' * (count != 1)}{WHICH[part]}. Entropies in bits; 95% intervals. "
        "A class entropy that falls is the bias."
    )
    return lines


def _all_for(kind: str) -> list[str]:
    inside = {"convnet": ["layer_mask"], "vit": ["drop_tokens"]}
    return ["grey", "black", "blur", "neighbour", *inside.get(kind, [])]


def _parts(text: str) -> list[str]:
    return [each.strip() for each in text.split(";") if each.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"--shares holds {text!r}, wanted numbers from 0 to below 1.") from None


def _fitted(images: Any, size: tuple[int, int]) -> Any:
    """uint8 [n, h, w, c] as float32 [n, 3, *size] in [0, 1]."""
    import numpy as np

    from workbench.data.images import fit as fitted

    if images.shape[-1] == 1:
        images = np.repeat(images, 3, -1)
    if images.shape[1:3] != size:
        images = np.stack([fitted(each, *size) for each in images])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / 255


def _png(pixels: Any) -> bytes:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()
