"""Write the golden masks anew: `python tests/golden/write.py --yes [strategy ...]`.

A golden mask is what a strategy draws today; it changes only when somebody means it to. Look at
the difference before committing it.
"""

import sys
from pathlib import Path

import numpy as np

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask
from workbench.params import knobs

FOLDER = Path(__file__).parent
GRIDS = (Grid(8, 8), Grid(5, 11), Grid(1, 12))
CLIP = Grid(4, 7, frames=3)  # for strategies to which a frame means something
EXTRA = {
    "painted": [
        'painted(hide="0-3, 9", show="8")',
        'painted(hide="0-3", show="8-11", over=random(ratio=0.75), lock=0.5)',
    ],
    "layers": [
        "layers(a=random(ratio=0.5), b=layer(random(ratio=0.5)))",
        'layers(a=block(ratio=0.5), b=layer(painted(hide="0-5"), op="minus"), lock=0.6)',
        'layers(a=grid(ratio=0.75), b=layer(random(ratio=0.5), op="and", invert=True), '
        'c=layer(painted(hide="6-9"), op="xor"), d=layer(random(ratio=1.0), on=False))',
    ],
    "frequency_disc": ["frequency_disc(radius=3, low=1)", "frequency_disc(radius=2.5, low=0)"],
    "frequency_band": ["frequency_band(inner=1.5, outer=3)"],
    "uniform": ["uniform(secondary=0.5)"],
    "time_span": ["time_span(ratio=0.5, span=2)", "time_span(ratio=0.5, untouched=0.5)"],
    "target_half": ["target_half(half=0.5)"],
    "band": ["band(share=0.7)"],
    "running_cells": ["running_cells(decoder_ratio=0.25)"],
}


def recipes(name: str) -> list[str]:
    """The default and every switch and choice."""
    member = MASKS.get(name)
    found = [member()]
    for knob in knobs(member):
        values = (True, False) if knob.kind == "bool" else knob.choices or ()
        found += [member(**{knob.name: value}) for value in values]
    found += [MASKS.parse(text) for text in EXTRA.get(name, [])]
    return list(dict.fromkeys(map(str, found)))


def slope(grid: Grid) -> np.ndarray:
    """A made-up map for two images: six steps, rising from one corner to the other."""
    down, across = (np.linspace(0, 1, side) for side in (grid.rows, grid.cols))
    plane = np.floor(2.999 * (down[:, None] + across))
    return np.stack([plane, plane[::-1, ::-1]])


def text(name: str) -> str:
    """All golden masks of a strategy: two images side by side, # hidden and . visible."""
    parts = []
    for recipe in recipes(name):
        for grid in (*GRIDS, CLIP) if MASKS.get(name).frames else GRIDS:
            sides = " x ".join(map(str, grid.shape))
            title = f"{recipe} on {sides}, seed 7, step 3, images 20 and 21"
            try:
                strategy = MASKS.parse(recipe)
                maps = dict.fromkeys(strategy.needs, slope(grid))
                mask = strategy.sample(grid, 2, seed=7, step=3, first=20, maps=maps)
                parts.append(f"{title}\n{drawn(mask)}")
            except BadInput as error:
                parts.append(f"{title}\nrefused: {error}\n")
    return "\n".join(parts)


def drawn(mask: Mask) -> str:
    """One line a row, the images beside each other, frames and then targets below."""
    planes = [mask.hidden]
    if mask.targets is not None:
        planes += list(mask.targets.swapaxes(0, 1))
    if mask.grid.frames is not None:
        planes = [frame for plane in planes for frame in plane.swapaxes(0, 1)]
    lines = []
    for plane in planes:
        for row in plane.swapaxes(0, 1):
            lines.append("  ".join("".join(".#"[cell] for cell in one) for one in row.astype(int)))
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] != ["--yes"]:
        sys.exit(__doc__)
    for name in sys.argv[2:] or MASKS.names():
        (FOLDER / f"{name}.txt").write_text(text(name))
        print(f"wrote {name}.txt")
