"""Files of several subfolders that belong together because they are called alike."""

from collections.abc import Sequence
from pathlib import Path

from workbench.data.folders import natural
from workbench.errors import BadInput

MAX_FILES = 100_000


def named_folder(path: str, recipe: str) -> Path:
    """Return the folder that a knob names.

    Raises:
        BadInput: none is named, or it is no folder.
    """
    if not path:
        raise BadInput(f'{recipe}: path is empty; name the folder, as in {recipe}(path="mine").')
    root = Path(path).expanduser()
    if not root.is_dir():
        raise BadInput(f"{recipe}: {root} is not a folder; name the folder that holds the files.")
    return root


def files_in(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files of a folder and its subfolders by ending (lower case), in natural order.

    Links that leave the folder are left out.

    Raises:
        BadInput: more than 100,000.
    """
    inside = folder.resolve()
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and path.is_file()
        and path.resolve().is_relative_to(inside)
    ]
    if len(found) > MAX_FILES:
        raise BadInput(f"{folder} holds more than {MAX_FILES:,} files; name a smaller folder.")
    return sorted(found, key=lambda path: natural(path.relative_to(folder).as_posix()))


def together(
    root: Path, parts: Sequence[str], endings: Sequence[str]
) -> tuple[list[str], list[list[Path]]]:
    """Return the names that stand in every part, and the files of each name.

    A part is a subfolder, as in left/a.png and right/a.png, or an ending of the name, as in
    a_left.png and a_right.png.

    Args:
        root: the folder.
        parts: such as ("left", "right").
        endings: of files, such as (".png",).

    Raises:
        BadInput: nothing stands in all of them.
    """
    found: list[dict[str, Path]] = []
    for part in parts:
        place = root / part
        own: dict[str, Path] = {}
        if place.is_dir():
            for path in files_in(place, endings):
                own[path.relative_to(place).with_suffix("").as_posix()] = path
        else:
            for path in files_in(root, endings):
                if path.stem.lower().endswith(f"_{part}"):
                    stem = path.relative_to(root).with_suffix("").as_posix()
                    own[stem[: -len(part) - 1]] = path
        found.append(own)
    names = [name for name in found[0] if all(name in own for own in found)]
    if not names:
        raise BadInput(
            f"{root} holds nothing that stands in all of {', '.join(parts)}; put files of one name "
            f"into subfolders of these names, or end their names in _{parts[0]} and so on."
        )
    return names, [[own[name] for own in found] for name in names]
