"""`reconstruct` photos: hide a part, let a model fill it in, write pictures and numbers."""

import dataclasses
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, as_text, check_folder, output_folder, say, write_bytes
from workbench.errors import BadInput, nearest, shown

if TYPE_CHECKING:
    from workbench.scenes import Scene, SceneSpec


def reconstruct(
    photo: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO...", help="PNG, JPEG or WebP files, or names of bundled photos."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the pictures and report.json.")],
    mask: Annotated[
        str | None, typer.Option(help="Recipe of what is hidden; random(ratio=0.75) without it.")
    ] = None,
    mask_file: Annotated[
        Path | None, typer.Option(help="Take the mask from a .npz, .png or .json file instead.")
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A .npy or grey .png as drawn(map='NAME')."),
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="Folder of a CLIP for text_similarity.")] = None,
    fill: Annotated[str, typer.Option(help="Recipe of what stands in the holes.")] = "grey",
    model: Annotated[str, typer.Option(help="A model's name or a checkpoint's path.")] = "default",
    seed: Annotated[int, number_option("Decides every random choice.")] = 0,
    fit: Annotated[str, typer.Option(help="crop, letterbox or resize.")] = "crop",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Hide a part of photos and fill it in.

    Writes original, masked, reconstruction, composite and error as PNG, and report.json; also the
    score maps of a guided mask, each as .npy and grey .png.
    """
    from workbench.scenes import SceneSpec

    # unlike a link, a command may name a checkpoint by its path
    spec = SceneSpec().replace(
        fill=fill, model=model, seed=seed, fit=fit, precision=precision, device=device
    )
    remarks: list[str] = []
    if map and mask is None:
        raise BadInput(
            f"--map is {shown(map[0])}, but without --mask nothing looks at it; write for example "
            '--mask \'guided(scores="drawn(map=\\"NAME\\")")\'.'
        )
    if mask is not None:
        if mask_file is not None:
            raise BadInput(
                f"--mask is {shown(mask)} and --mask-file {shown(str(mask_file))}, but a photo has "
                "one mask; leave one of them out."
            )
        spec = spec.replace(mask=with_maps(mask, map or []))
    elif mask_file is not None:
        spec, remarks = with_mask_file(spec, mask_file)
    check_folder(out)
    for given in photo:  # refuse before the first picture is made, not after the tenth
        chosen(spec, given)
    names = unique_names(photo)
    reports: list[dict[str, Any]] = []
    for given, name in zip(photo, names, strict=True):
        place = out if len(photo) == 1 else out / name
        reports.append(one(spec, given, place, remarks, clip))
    if len(reports) > 1:
        write_bytes(out / "report.json", as_text({"photos": reports}).encode())
    record = reports[0] if len(reports) == 1 else {"photos": reports}
    say(record, [sentence(report) for report in reports] + [f"written to {out}"], as_json)


def one(
    spec: "SceneSpec", given: str, folder: Path, remarks: list[str], clip: Path | None = None
) -> dict[str, Any]:
    """Reconstruct one photo into a folder and return its report, remarks among its notes."""
    from workbench.data.score_maps import write_map
    from workbench.plots.error_map import error_map
    from workbench.scenes import compose, export_png, maps_of

    scene_spec, pixels, notes = chosen(spec, given)
    maps = None if clip is None else maps_of(scene_spec, pixels=pixels, clip=clip)
    scene = compose(scene_spec, pixels, maps)
    output_folder(folder)  # a scene that is refused leaves no empty folder
    write_bytes(folder / "original.png", _png(scene.photo))
    for which in ("masked", "reconstruction", "composite"):
        write_bytes(folder / f"{which}.png", export_png(scene, which))
    picture = error_map(scene.error, scene.hidden, scene.grid.patch)
    write_bytes(folder / "error.png", _png(picture))
    report = report_of(scene, given, [*remarks, *notes])
    for number, (recipe, values) in enumerate(scene.maps.items(), 1):
        for ending in (".npy", ".png"):
            write_map(folder / f"map-{number}{ending}", values[0])
        report["maps"][recipe] = f"map-{number}.npy"
    write_bytes(folder / "report.json", as_text(report).encode())
    return report


def report_of(scene: "Scene", given: str, notes: list[str]) -> dict[str, Any]:
    """What report.json holds; every error is over hidden pixels of the composite, in [0, 1]."""
    from workbench import __version__

    metrics = scene.metrics
    return {
        "photo": given,
        "mask": scene.spec.mask,
        "fill": scene.spec.fill,
        "model": scene.spec.model,
        "model_hash": scene.model_hash,
        "seed": scene.spec.seed,
        "fit": scene.spec.fit,
        "grid": scene.grid.record(),
        "patches": scene.card.total,
        "hidden": scene.card.hidden,
        "ratio": scene.card.ratio,
        "pixels": metrics.pixels,
        "mse": metrics.mse,
        "psnr": metrics.psnr_db,
        "ssim": metrics.ssim,
        "loss": scene.loss,
        "error": scene.error.tolist(),
        "maps": {},
        "mask_card": dataclasses.asdict(scene.card),
        "device": scene.device,
        "precision": scene.precision,
        "milliseconds": scene.milliseconds,
        "notes": [*notes, *scene.notes],
        "version": __version__,
    }


def sentence(report: dict[str, Any]) -> str:
    """One line for people."""
    told = ", ".join(
        f"{name} {'undefined' if report[key] is None else format(report[key], form)}{unit}"
        for name, key, form, unit in (
            ("MSE", "mse", ".4f", ""),
            ("PSNR", "psnr", ".2f", " dB"),
            ("SSIM", "ssim", ".3f", ""),
        )
    )
    notes = "".join(f"\n  {note}" for note in report["notes"])
    return (
        f"{report['photo']}: {told} on {report['pixels']} hidden pixels "
        f"({report['hidden']} of {report['patches']} patches, {report['mask']}){notes}"
    )


def chosen(spec: "SceneSpec", given: str) -> "tuple[SceneSpec, Any, list[str]]":
    """Return the scene for a file or a photo's name, the file's pixels, and notes on it.

    Raises:
        BadInput: neither a readable picture file nor a photo that is here.
    """
    from workbench.data import open_image, photos
    from workbench.scenes import photos as named

    path = Path(given)
    if _exists(path):
        opened = open_image(path)
        return spec.replace(photo=path.name[-200:]), opened.pixels, opened.notes
    try:
        named.source(given)
    except BadInput:
        names = [info.name for info in photos()]
        known = ", ".join(names)
        raise BadInput(
            f"{shown(given)} is no file and no photo here; give a PNG, JPEG or WebP file, "
            f"or one of: {known}, drawn-0, drawn-1, and so on{nearest(given, names)}."
        ) from None
    return spec.replace(photo=given), None, []


def with_maps(recipe: str, given: list[str]) -> str:
    """The recipe with every map="NAME" replaced by the id under which NAME=FILE is kept.

    Raises:
        BadInput: not NAME=FILE, a file that is no map, or a name that the recipe does not hold.
    """
    from workbench.data import score_maps

    for each in given:
        name, equals, file = each.partition("=")
        if not equals or re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name) is None:
            raise BadInput(f"--map is {shown(each)}, but must be NAME=FILE; write face=face.npy.")
        kept = score_maps.store(score_maps.read_map(Path(file)), name)
        wanted = re.compile(rf"""(\bmap\s*=\s*)(\\?["']){name}\2""")
        recipe, found = wanted.subn(rf"\g<1>\g<2>{kept}\g<2>", recipe)
        if not found:
            raise BadInput(
                f"--map names {name}, but the mask {shown(recipe)} does not; write for example "
                f"guided(scores='drawn(map=\"{name}\")')."
            )
    return recipe


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for a file, or a folder closed to this user
        return False


def with_mask_file(spec: "SceneSpec", path: Path) -> "tuple[SceneSpec, list[str]]":
    """The scene with the first mask of a file, as a recipe of painted patches, and remarks."""
    from workbench.masks import Mask
    from workbench.scenes import grid_of
    from workbench.scenes.paint import patch_ranges

    grid = grid_of(spec)
    mask = Mask.load(path, grid=grid)
    many = f"{path.name} holds {len(mask)} masks; the first one is used."
    remarks = [many] if len(mask) > 1 else []
    return spec.replace(mask=f'painted(hide="{patch_ranges(mask[0].to_bits())}")'), remarks


def unique_names(given: list[str]) -> list[str]:
    """One folder name a photo: its stem, numbered where two are alike or it is the report's."""
    names = ["report.json"]
    for text in given:
        stem = Path(text).stem or "photo"
        name, number = stem, 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.append(name)
    return names[1:]


def _png(picture: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    cast(Any, Image.fromarray(picture)).save(buffer, "PNG")
    return buffer.getvalue()
