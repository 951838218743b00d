"""Pictures: bundled samples, the user's own files and uploads, and drawn scenes."""

from workbench.data.folders import Folder, folder
from workbench.data.home import home
from workbench.data.images import Opened, fit, open_image
from workbench.data.labelled import Labelled, cifar10, digits
from workbench.data.samples import PhotoInfo, held_out, photo, photos

__all__ = [
    "Folder",
    "Labelled",
    "Opened",
    "PhotoInfo",
    "cifar10",
    "digits",
    "fit",
    "folder",
    "held_out",
    "home",
    "open_image",
    "photo",
    "photos",
]
