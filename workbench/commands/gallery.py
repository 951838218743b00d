"""`gallery`: every strategy on one photo, as one page that opens without a server."""

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from workbench.commands.arguments import number_option
from workbench.commands.output import AsJson, check_folder, output_folder, say, write_bytes

if TYPE_CHECKING:
    from workbench.scenes import SceneSpec
    from workbench.scenes.gallery import Tile

APP = "http://127.0.0.1:8501"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mask strategies</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; --line: #8888; --soft: #8882; }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 1500px; }}
header {{ display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: baseline; }}
h1 {{ font-size: 1.35rem; margin: 0; }}
input, select {{ font: inherit; padding: .35rem .6rem; border: 1px solid var(--line);
  border-radius: 8px; background: Canvas; color: CanvasText; min-width: 0; }}
main {{ display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 190px), 1fr)); }}
article {{ border: 1px solid var(--line); border-radius: 10px; overflow: hidden; display: grid;
  align-content: start; }}
article[hidden] {{ display: none; }}
img {{ width: 100%; display: block; aspect-ratio: 1; object-fit: cover; background: var(--soft); }}
article > div {{ padding: .5rem .7rem .7rem; display: grid; gap: .25rem; }}
h2 {{ font-size: 1rem; margin: 0; }} p {{ margin: 0; font-size: .85rem; }}
code {{ font-size: .78rem; overflow-wrap: anywhere; user-select: all; }}
.soft {{ opacity: .75; }}
</style></head><body>
<header><h1>{count} mask strategies</h1><span class="soft">{about}</span></header>
<p><input id="text" type="search" aria-label="Search" placeholder="Search">
<select id="kind" aria-label="Kind"><option value="">every kind</option>{kinds}</select>
<span id="found" role="status" class="soft"></span></p>
<main>{tiles}</main>
<script>
const text = document.getElementById("text"), kind = document.getElementById("kind");
const all = [...document.querySelectorAll("article")];
function filter() {{
  const words = text.value.toLowerCase().split(/\\s+/);
  for (const each of all) {{
    const said = each.textContent.toLowerCase();
    const ofKind = !kind.value || each.dataset.kind === kind.value;
    each.hidden = !ofKind || !words.every((word) => said.includes(word));
  }}
  const left = all.filter((each) => !each.hidden).length;
  document.getElementById("found").textContent = `${{left}} of ${{all.length}}`;
}}
text.addEventListener("input", filter); kind.addEventListener("change", filter); filter();
</script></body></html>
"""


def gallery(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("gallery"),
    photo: Annotated[
        str, typer.Option(help="A PNG, JPEG or WebP file, or a photo's name.")
    ] = "astronaut",
    seed: Annotated[int, number_option("Decides every random choice.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw every strategy at its defaults on one photo.

    Writes index.html, one file that needs nothing else, and gallery.png, all tiles as one picture.
    """
    from PIL import Image

    from workbench.commands.reconstruct import chosen
    from workbench.data import uploads
    from workbench.scenes import SceneSpec
    from workbench.scenes.gallery import contact_sheet, tiles

    check_folder(out)
    spec, pixels, _ = chosen(SceneSpec(seed=seed), photo)
    if pixels is not None:  # kept as an upload, so that the links of the page open it in the app
        spec = spec.replace(photo=uploads.store(Path(photo).read_bytes(), name=photo))
    made = tiles(spec)
    folder = output_folder(out)
    write_bytes(folder / "index.html", page(made, spec, photo).encode())
    buffer = io.BytesIO()
    contact_sheet(made).quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    write_bytes(folder / "gallery.png", buffer.getvalue())
    problems = {each.name: each.problem for each in made if each.problem}
    lines = [f"{len(made)} strategies on {photo}: {folder / 'index.html'} and gallery.png"]
    lines += [f"Not drawn: {sentence}" for sentence in problems.values()]
    record = {
        "out": str(folder),
        "photo": photo,
        "seed": seed,
        "strategies": [each.name for each in made],
        "problems": problems,
    }
    say(record, lines, as_json)


def page(made: "tuple[Tile, ...]", spec: "SceneSpec", photo: str = "") -> str:
    """The gallery as one HTML page with its pictures inside; every text is escaped."""
    from workbench.scenes.gallery import KINDS

    there = {each.kind for each in made}
    kinds = "".join(
        f'<option value="{key}">{html.escape(name)}</option>'
        for key, name in KINDS.items()
        if key in there
    )
    return PAGE.format(
        count=len(made),
        about=html.escape(f"{photo or spec.photo}, seed {spec.seed}, each at its defaults"),
        kinds=kinds,
        tiles="".join(_article(each, spec) for each in made),
    )


def _article(each: "Tile", spec: "SceneSpec") -> str:
    from workbench.scenes import data_uri
    from workbench.scenes.gallery import KINDS

    name = html.escape(each.name)
    if each.picture is None:
        seen = f'<div role="note">{html.escape(each.problem)}</div>'
    else:
        about = html.escape(f"{each.name}: {each.realised}", quote=True)
        seen = f'<img alt="{about}" src="{data_uri(each.picture, quality=80)}" loading="lazy">'
    paper = ""
    if each.link:
        paper = f' · <a href="{html.escape(each.link, quote=True)}">{html.escape(each.paper)}</a>'
    address = f"{APP}/?{urlencode(spec.replace(mask=each.recipe).to_query())}"
    told = " · ".join(part for part in (each.realised, each.promise, KINDS[each.kind]) if part)
    return (
        f'<article data-kind="{each.kind}" id="{name}">{seen}<div><h2>{name}</h2>'
        f"<p>{html.escape(each.summary)}</p><code>{html.escape(each.recipe)}</code>"
        f'<p class="soft">{html.escape(told)}{paper}</p>'
        f'<p class="soft"><a href="{html.escape(address, quote=True)}">Open in the running app</a>'
        "</p></div></article>"
    )
