"""A folder of clips: subfolders of frames, arrays, or video files."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.data.matched import named_folder
from workbench.data.sets.dataset import TEST_EVERY, Dataset, Pictures, Skip, drawn_side
from workbench.data.videos import frames_of, sources
from workbench.errors import BadInput
from workbench.params import Knob


@dataclass(frozen=True, kw_only=True)
class FolderOfClips(Dataset):
    """Clips of `frames`, every `every`-th, a new one each `stride` frames of a source.

    A source is a subfolder of pictures in natural order, an .npy or .npz of uint8 [t, h, w, 3], or
    a video file that OpenCV reads. The last fifth of each is for testing, so that no frame is in
    both parts.
    """

    gives: ClassVar[tuple[str, ...]] = ("clips",)

    path: Annotated[str, Knob("the folder")] = ""
    frames: Annotated[int, Knob("frames of a clip", 1, 1024, 1, None, 32)] = 8
    every: Annotated[int, Knob("steps from frame to frame", 1, 1024, 1, None, 16)] = 1
    stride: Annotated[int, Knob("frames from clip to clip", 1, 100_000, 1, None, 64)] = 2
    skip: Skip = 100

    def load(self, size: int, *, train: bool = True) -> Pictures:
        """See `Dataset.load`."""
        root, side = named_folder(self.path, self.name), drawn_side(size)
        clips: list[np.ndarray] = []
        names: list[str] = []
        skipped: list[tuple[str, str]] = []
        span = (self.frames - 1) * self.every + 1
        for source in sources(root):
            name = source.relative_to(root).as_posix()
            try:
                whole = frames_of(source, side)
            except BadInput as problem:
                skipped.append((name, str(problem)))
                if len(skipped) > self.skip:
                    raise BadInput(f"too many clips cannot be read; the first: {problem}") from None
                continue
            border = max(len(whole) - len(whole) // TEST_EVERY, 0)
            border = min(border, max(len(whole) - span, 0))  # a short source tests one clip
            part = whole[:border] if train else whole[border:]
            for start in range(0, len(part) - span + 1, self.stride):
                clips.append(part[start : start + span : self.every])
                names.append(f"{name}#{start + (0 if train else border)}")
        if not clips:
            told = f" (the first that was left out: {skipped[0][1]})" if skipped else ""
            raise BadInput(
                f"{root} holds no clip of {span} frames for {'training' if train else 'testing'}"
                f"{told}; ask for fewer frames, or name a folder with longer clips."
            )
        return Pictures(np.stack(clips), names=names, skipped=tuple(skipped))
