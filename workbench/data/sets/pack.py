"""A pack of encoded pictures: one .npz of `blob`, `offsets` and, where known, labels and names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from workbench.data.sets.dataset import Dataset, Pictures, Skip, split
from workbench.data.sets.packs import read_pack
from workbench.params import Knob

MARGIN = 1.25  # decoded sets of any size keep a quarter more than the encoder reads


@dataclass(frozen=True, kw_only=True)
class Pack(Dataset):
    """JPEG, PNG or WebP bytes end to end in `blob`, picture i from offsets[i] to offsets[i + 1].

    `labels` [n], `classes` and `names` [n] are used where they are. `test` names a second file;
    without one every fifth picture is for testing.
    """

    gives: ClassVar[tuple[str, ...]] = ("images", "labelled")

    path: Annotated[str, Knob("the .npz file")] = ""
    test: Annotated[str, Knob("an .npz file for testing; empty to split the first")] = ""
    skip: Skip = 100

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        self.there()
        side = round(size * MARGIN)
        if train or not self.test:
            whole = read_pack(Path(self.path).expanduser(), side, self.skip)
            return whole if self.test else split(whole, train)
        return read_pack(Path(self.test).expanduser(), side, self.skip)
