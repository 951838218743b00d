"""Masks of other programs: which labels, of which picture, cut the way the photo is cut."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from workbench.errors import BadInput, shown
from workbench.masks import annotations, storage
from workbench.masks.annotations import Annotated
from workbench.masks.lattice import Grid
from workbench.masks.mask import Mask
from workbench.masks.storage import Fit


def read(
    path: str | Path,
    grid: Grid,
    *,
    labels: Sequence[str] = (),
    image: str | None = None,
    threshold: float = 0.5,
    fit: Fit = "resize",
) -> Mask:
    """Read a mask file of any kind onto a grid; annotations also in part.

    Args:
        path: .npz, .png, .json or .rle.json (see `Mask.load`), LabelMe's .json, CVAT's .xml.
        grid: where the mask shall live.
        labels: hide what carries one of these labels; everything without.
        image: which picture of a CVAT export, by its file's name; all, one a mask, without.
        threshold: share of a patch that an annotation must cover.
        fit: how a picture of another program lies on the grid: "resize" stretches it, "crop"
            keeps its largest centred part of the right shape, "letterbox" keeps all and adds
            visible bars.

    Returns:
        One mask a picture.

    Raises:
        BadInput: as `Mask.load`; a label or picture that is not there.
    """
    path = Path(path)
    if fit not in get_args(Fit):
        raise BadInput(f"fit is {shown(fit)}, but must be one of {', '.join(get_args(Fit))}.")
    found = pictures(path)
    if found is None:
        if labels or image:
            raise BadInput(
                f"{path.name!r} is no annotation with labels and pictures; leave both out."
            )
        stored = storage.read(path, grid, threshold, fit)
        return Mask(stored.hidden, stored.grid, stored.targets)
    if not 0 < threshold <= 1:
        raise BadInput(f"threshold is {threshold!r}, but must be above 0 and at most 1; take 0.5.")
    if image is not None:
        named = [one for one in found if image in (one.name, Path(one.name).name)]
        if not named:
            known = ", ".join(one.name for one in found[:20])
            raise BadInput(f"{path.name!r} has no picture {shown(image)}; choose one of: {known}.")
        found = named
    try:
        cells = [
            storage.covered(plane, grid, threshold, fit)
            for plane in annotations.planes(found, labels)
        ]
    except BadInput as error:
        raise BadInput(f"{path.name!r}: {error}") from None
    return Mask(np.stack(cells), grid)


def pictures(path: Path) -> list[Annotated] | None:
    """Return the annotated pictures of a LabelMe or CVAT file; None for another kind of file.

    Raises:
        BadInput: missing, too big or broken.
    """
    if not path.name.lower().endswith((".xml", ".json")):
        return None
    try:
        content = storage.content(path)
        if path.name.lower().endswith(".xml"):
            return annotations.cvat(content)
        record = json.loads(content)
        return [annotations.labelme(record)] if annotations.is_labelme(record) else None
    except BadInput as error:
        raise BadInput(f"{path.name!r}: {error}") from None
    except storage.FAULTS:
        raise BadInput(f"{path.name!r} is no whole annotation; save it again.") from None
