"""`features`: what single units stand for: sparse latents, facets of a unit, codes of heads."""

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, as_text, output_folder, say, table, write_bytes
from workbench.commands.progress import Telling
from workbench.errors import BadInput

features = typer.Typer(help="What single units of a network stand for.", no_args_is_help=True)
Model = Annotated[str, typer.Option(help="A model's name, a folder, a checkpoint, or timm:NAME.")]
Weights = Annotated[Path | None, typer.Option(help="With timm:NAME, a file of its weights.")]
Data = Annotated[
    str, typer.Option(help="Recipe of pictures, such as 'folder(path=\"mine\")' or 'cifar10()'.")
]
Out = Annotated[Path, typer.Option(help="Folder for pictures and report.json.")]
Seed = Annotated[int, number_option("Decides whatever is drawn.")]


@features.callback()
def about() -> None:
    """What single units of a network stand for."""


@features.command()
def learn(
    out: Annotated[Path, typer.Option(help="Folder for the code, pictures and report.json.")],
    model: Model = "default",
    weights: Weights = None,
    layer: Annotated[int, number_option("Block whose tokens are coded, from 0; -1 the last.")] = 6,
    data: Data = "photos(crops=500)",
    count: Annotated[int, number_option("Pictures at most.")] = 400,
    expansion: Annotated[int, number_option("Latents for each number of a token.")] = 8,
    active: Annotated[int, number_option("Latents at a time, with --rule topk.")] = 32,
    rule: Annotated[str, typer.Option(help="topk or l1.")] = "topk",
    penalty: Annotated[
        float, typer.Option(help="On the sum of activations, with --rule l1.")
    ] = 0.2,
    steps: Annotated[int, number_option("Updates.")] = 1000,
    batch: Annotated[int, number_option("Tokens an update.")] = 1024,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where --out was left.")] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a sparse autoencoder on the tokens of a layer; Ctrl+C keeps what there is."""
    from workbench.features.learning import SaeConfig
    from workbench.features.training import Studied, train
    from workbench.runs.networks import named_network

    studied = Studied(
        model=model, weights=None if weights is None else str(weights), layer=layer, data=data,
        count=count, seed=seed,
    )  # fmt: skip
    config = SaeConfig(
        expansion=expansion, active=active, rule=rule, penalty=penalty, steps=steps,  # pyright: ignore[reportArgumentType]
        batch=batch, seed=seed,
    )  # fmt: skip
    ticker = {what: Telling(what) for what in ("pictures", "steps")}
    done = train(
        studied, config, output_folder(out), resume=resume, load=named_network,
        watch=lambda what, at, total, note: ticker[what].tell(at, total, note),
    )  # fmt: skip
    for each in ticker.values():
        each.end()
    record = _looked(out, None, None, out, 12)
    record["finished"] = done
    lines = _told(record)
    lines += [] if done else [f"Stopped; `features learn --out {out} --resume` goes on."]
    say(record, [*lines, f"written to {out}"], as_json)


@features.command()
def look(
    code: Annotated[Path, typer.Argument(metavar="CODE", help="A folder of `features learn`.")],
    out: Out,
    data: Annotated[str | None, typer.Option(help="Other pictures than in training.")] = None,
    count: Annotated[int | None, number_option("How many of them.")] = None,
    latents: Annotated[int, number_option("Latents to show.")] = 12,
    order: Annotated[
        str, typer.Option(help="telling, often; with --photo also photo (strongest there) or mask.")
    ] = "telling",
    photo: Annotated[str, typer.Option(help="A file or a bundled photo to see them on.")] = "",
    mask: Annotated[
        str, typer.Option(help="Recipe of what is hidden on the photo's twin.")
    ] = "random(ratio=0.75)",
    fill: Annotated[str, typer.Option(help="What stands in the twin's holes.")] = "grey",
    fit: Annotated[str, typer.Option(help="Of the photo: crop, letterbox or resize.")] = "crop",
    seed: Annotated[int, number_option("Decides the mask.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show the latents of a trained code by their top pictures, and on a photo and its twin."""
    seen = {"photo": photo, "mask": mask, "fill": fill, "fit": fit, "seed": seed} if photo else None
    record = _looked(code, data, count, out, latents, order, seen)
    say(record, [*_told(record), f"written to {out}"], as_json)


def _looked(
    code: Path,
    data: str | None,
    count: int | None,
    out: Path,
    shown: int,
    order: str = "telling",
    seen: dict[str, Any] | None = None,
) -> dict[str, Any]:
    from workbench.features.reading import ordered
    from workbench.features.training import study
    from workbench.plots.latents import latent_sheet
    from workbench.runs.networks import named_network

    if order not in ("telling", "often", "photo", "mask"):
        raise BadInput(f"--order is {order!r}, wanted telling, often, photo or mask.")
    found = study(code, data, count, load=named_network)
    pair, compared = ((), None) if seen is None else _on_photo(found, seen)
    chosen = [int(each) for each in ordered(found.latents, order, shown, compared)]  # pyright: ignore[reportArgumentType]
    rows = [
        (f"{latent}", [(_bytes(found.images[at]), values) for at, values in found.maps(latent)])
        for latent in chosen
    ]
    folder = output_folder(out)
    if rows:
        write_bytes(folder / "latents.png", _png(latent_sheet(rows)))
    record = {
        **found.report(), "order": order, **(seen or {}),
        "shown": [
            {
                "latent": latent, "rate": float(found.latents.rates[latent]),
                "pictures": [found.names[at] for at, _ in found.maps(latent)],
                **_peaks(compared, latent),
            }
            for latent in chosen
        ],
    }  # fmt: skip
    if rows and compared is not None:
        maps = [compared.maps[:, :, latent].reshape(2, *found.grid) for latent in chosen]
        here = [
            (f"{latent}", [(_bytes(each), values) for each, values in zip(pair, both, strict=True)])
            for latent, both in zip(chosen, maps, strict=True)
        ]
        write_bytes(folder / "photo.png", _png(latent_sheet(here)))
    write_bytes(folder / "report.json", as_text(record).encode())
    return record


def _on_photo(found: Any, seen: dict[str, Any]) -> tuple[Any, Any]:
    """A photo and its masked version, and the latents there."""
    from workbench.commands.inside import opened
    from workbench.runs.networks import named_network
    from workbench.scenes.features import twins
    from workbench.scenes.features_spec import FeaturesSpec

    studied = found.studied
    network = named_network(studied.model, studied.weights)
    pixels, _ = opened(seen["photo"])
    pair, _ = twins(FeaturesSpec(**seen), network, pixels)
    return pair, found.compared(network, pair)


def _peaks(compared: Any, latent: int) -> dict[str, float]:
    if compared is None:
        return {}
    whole, masked = (float(each) for each in compared.peaks[:, latent])
    return {"on_photo": whole, "on_masked": masked}


def _told(record: dict[str, Any]) -> list[str]:
    lines = [
        f"{record['latents']} latents of layer {record['layer']} of {record['model']} on "
        f"{record['pictures']} pictures: {record['explained']:.1%} of the variance explained by "
        f"{record['active']:.1f} a patch, {record['dead']} dead, {record['kept_downstream']:.1%} "
        "of what later layers need kept"
    ]
    here = ("photo", "masked") if record.get("photo") else ()
    rows = [
        (str(each["latent"]), f"{each['rate']:.2%}",
         *((f"{each['on_photo']:.2f}", f"{each['on_masked']:.2f}") if here else ()),
         ", ".join(each["pictures"][:3]))
        for each in record["shown"]
    ]  # fmt: skip
    return lines + table(("latent", "patches", *here, "top pictures"), rows)


@features.command()
def facets(
    unit: Annotated[
        str, typer.Argument(metavar="UNIT", help="class:5, 3:17 (layer:channel) or latent:40.")
    ],
    out: Out,
    model: Model = "default",
    weights: Weights = None,
    code: Annotated[Path | None, typer.Option(help="With latent:N, a trained code.")] = None,
    data: Data = "photos(crops=500)",
    count: Annotated[int, number_option("Pictures at most.")] = 400,
    top: Annotated[int, number_option("Pictures that excite it most, to group.")] = 60,
    facets: Annotated[int, number_option("Facets at most.")] = 4,
    steps: Annotated[int, number_option("Updates of each picture; 0 for the means alone.")] = 200,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Show what a unit answers to: groups of its top pictures, and a picture climbed from each."""
    from workbench.features.facets import find_facets, visualise
    from workbench.features.pictures import pictures_of
    from workbench.features.sparse_code import load_code
    from workbench.features.training import CODE
    from workbench.features.units import codes_of, unit_named
    from workbench.plots.contact_sheet import contact_sheet
    from workbench.runs.networks import named_network

    network = named_network(model, weights)
    coded, about = (
        (None, {"layer": -1}) if code is None else load_code(code / CODE if code.is_dir() else code)
    )
    chosen = unit_named(network, unit, coded, int(about["layer"]))
    images, names = pictures_of(data, network, count, seed)
    found = find_facets(
        chosen, images, codes_of(network, images), count=facets, top=min(top, len(images)),
        seed=seed,
    )  # fmt: skip
    ticker, tiles, rows = Telling("steps"), dict[tuple[int, int], Any](), list[dict[str, Any]]()
    for row, each in enumerate(found):
        climbed = visualise(
            chosen, each, steps=steps,
            watch=lambda at, all_, row=row: ticker.tell(row * all_ + at, len(found) * all_),
        )  # fmt: skip
        shown = [images[at] for at in each.rows[:4]] + [each.start, climbed.image]
        tiles |= {(row, at): _tile(picture) for at, picture in enumerate(shown)}
        rows.append({"pictures": [names[at] for at in each.rows], "start": each.value,
                     "value": climbed.value})  # fmt: skip
    ticker.end()
    folder = output_folder(out)
    heads = ["nearest", "", "", "", "mean", "climbed"]
    sheet = contact_sheet(tiles, [f"facet {n + 1}" for n in range(len(found))], heads)
    write_bytes(folder / "facets.png", _png(sheet))
    record = {"unit": unit, "model": model, "data": data, "seed": seed, "facets": rows}
    write_bytes(folder / "report.json", as_text(record).encode())
    cells = [
        (str(n + 1), str(len(each["pictures"])), f"{each['start']:.4g}", f"{each['value']:.4g}",
         ", ".join(each["pictures"][:3]))
        for n, each in enumerate(rows)
    ]  # fmt: skip
    lines = table(("facet", "pictures", "mean picture", "climbed", "nearest"), cells)
    say(record, [*lines, f"written to {out}"], as_json)


@features.command()
def heads(
    region: Annotated[str, typer.Argument(metavar="RECIPE", help="Mask that hides the property.")],
    out: Out,
    model: Model = "default",
    weights: Weights = None,
    data: Data = "photos(crops=500)",
    count: Annotated[int, number_option("Pictures; five to ten are enough.")] = 10,
    fill: Annotated[str, typer.Option(help="What stands in the region of the twins.")] = "mean",
    read: Annotated[str, typer.Option(help="class, outside, or auto.")] = "auto",
    units: Annotated[int, number_option("Codes a head.")] = 4,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Rank heads by codes that they give pictures and never their masked twins."""
    from workbench.features.codes import masked_twins, rank_heads
    from workbench.features.pictures import pictures_of
    from workbench.masks import MASKS
    from workbench.runs.networks import named_network

    if read not in ("auto", "class", "outside"):
        raise BadInput(f"--read is {read!r}, wanted class, outside or auto.")
    network = named_network(model, weights)
    images, names = pictures_of(data, network, count, seed)
    mask = MASKS.parse(region).sample(network.grid, count=1, seed=seed)
    twins = masked_twins(images, mask, fill)
    found = rank_heads(network, images, twins, mask=mask, read=read, units=units, seed=seed)  # pyright: ignore[reportArgumentType]
    folder = output_folder(out)
    write_bytes(folder / "heads.png", _png(_head_map(network, found, len(images))))
    write_bytes(folder / "twin.png", _png(_bytes(twins[0])))
    ranked = [
        {
            "layer": found.places[at][0],
            "head": found.places[at][1],
            "counts": int(found.counts[at]),
            "share": float(found.shares[at]),
            "codes": found.positive[at].tolist(),
            "twins": found.negative[at].tolist(),
        }
        for at in found.order
    ]
    record: dict[str, Any] = {
        "model": model, "region": region, "fill": fill, "pictures": names, "seed": seed,
        "heads": ranked, "winners": [list(found.places[at]) for at in found.winners],
        "edges": [
            [list(found.places[a]), list(found.places[b]), told] for a, b, told in found.edges
        ],
    }  # fmt: skip
    write_bytes(folder / "report.json", as_text(record).encode())
    cells = [
        (f"{each['layer']}.{each['head']}", f"{each['counts']} of {len(images)}",
         f"{each['share']:.3f}")
        for each in ranked[:8]
    ]  # fmt: skip
    won = ", ".join(f"{layer}.{head}" for layer, head in record["winners"]) or "none"
    lines = table(("head", "pictures told from twins", "share"), cells)
    say(record, [*lines, f"more than luck: {won}", f"written to {out}"], as_json)


def _head_map(network: Any, found: Any, pictures: int) -> Any:
    """Heads below each other, layers from left to right; bright tells all pictures from twins."""
    import numpy as np

    from workbench.plots.heat_map import heat_map

    grid = np.full((max(network.heads), network.depth), np.nan)
    for (layer, head), value in zip(found.places, found.counts.tolist(), strict=True):
        grid[head, layer] = value / pictures
    return heat_map(grid, 24)


def _bytes(picture: Any) -> Any:
    return (picture.transpose(1, 2, 0) * 255).round().astype("uint8")


def _tile(picture: Any) -> Any:
    from workbench.data.images import fit

    return fit(_bytes(picture), 128, 128)


def _png(pixels: Any) -> bytes:
    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()
