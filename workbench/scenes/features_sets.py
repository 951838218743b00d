"""The sets of pictures that the view Features offers, as recipes and back."""

from workbench.errors import BadInput

PHOTOS = "photos"
SETS = (PHOTOS, "chosen", "digits", "cifar10")


def set_recipe(name: str, count: int, names: tuple[str, ...]) -> str:
    """The recipe of a set that holds `count` pictures for training; `names` are those chosen."""
    crops = max(10, -(-5 * count // 4))  # every fifth crop is for testing
    if name == PHOTOS:
        return f"photos(crops={crops})"
    if name == "chosen":
        return f"photos(crops={crops}, of={', '.join(names)!r})"
    return f"{name}()"


def set_of(data: str) -> tuple[str, tuple[str, ...]]:
    """Which of `SETS` a recipe is, and the pictures that it names."""
    from workbench.data.sets import DATASETS

    found = DATASETS.parse(data)
    named = tuple(each.strip() for each in getattr(found, "of", "").split(",") if each.strip())
    if found.name == PHOTOS:
        return ("chosen" if named else PHOTOS), named
    return found.name, ()


def sets_here() -> tuple[str, ...]:
    """Those that can be loaded on this machine."""
    from workbench.data.sets.cifar10 import Cifar10

    try:
        Cifar10().place(train=True)
    except BadInput:
        return tuple(name for name in SETS if name != "cifar10")
    return SETS
