"""A folder of pictures with many bands: .npy and TIFF files."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.maps import read_planes, squared
from workbench.data.matched import files_in, named_folder
from workbench.data.sets.dataset import Dataset, Pictures, Skip, drawn_side, split
from workbench.errors import BadInput
from workbench.params import Knob

LOW, HIGH = 0.5, 99.5


@dataclass(frozen=True, kw_only=True)
class FolderOfBands(Dataset):
    """Files [h, w, bands] or [bands, h, w] (told by the smallest axis), all with equally many.

    Each band is brought to 8 bits between its percentiles 0.5 and 99.5 over the set; what is no
    number becomes the lowest. Every fifth picture is for testing.
    """

    gives: ClassVar[tuple[str, ...]] = ("bands",)

    path: Annotated[str, Knob("the folder")] = ""
    skip: Skip = 100

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        root, side = named_folder(self.path, self.name), drawn_side(size)
        found: list[np.ndarray] = []
        names: list[str] = []
        skipped: list[tuple[str, str]] = []
        for path in files_in(root, (".npy", ".tif", ".tiff")):
            name = path.relative_to(root).as_posix()
            try:
                planes = read_planes(path)
                planes = planes[..., None] if planes.ndim == 2 else planes
                planes = np.moveaxis(planes, int(np.argmin(planes.shape)), -1)
                if found and planes.shape[-1] != found[0].shape[-1]:
                    raise BadInput(
                        f"{path} has {planes.shape[-1]} bands, wanted {found[0].shape[-1]} as the "
                        "files before it."
                    )
            except BadInput as problem:
                skipped.append((name, str(problem)))
                if len(skipped) > self.skip:
                    raise BadInput(f"too many files cannot be read; the first: {problem}") from None
                continue
            found.append(squared(planes, side).astype(np.float32))
            names.append(name)
        if not found:
            raise BadInput(f"{root} holds no .npy or TIFF file that can be read; name another.")
        whole = np.stack(found)
        flat = np.where(np.isfinite(whole), whole, np.nan).reshape(-1, whole.shape[-1])
        low, high = np.nanpercentile(flat, [LOW, HIGH], axis=0)
        scaled = (whole - low) / np.maximum(high - low, 1e-12)
        images = (np.clip(np.nan_to_num(scaled, nan=0), 0, 1) * 255 + 0.5).astype(np.uint8)
        return split(Pictures(images, names=names, skipped=tuple(skipped)), train)
