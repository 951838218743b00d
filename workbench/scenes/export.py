"""Pictures that carry their recipe, and the way back from such a picture to its scene."""

import base64
import io
import json
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, PngImagePlugin

from workbench.data import uploads
from workbench.data.samples import photos
from workbench.errors import BadInput, shown
from workbench.scenes.compose import Scene
from workbench.scenes.photos import DRAWN, Pixels, source
from workbench.scenes.spec import SceneSpec

Which = Literal["photo", "masked", "reconstruction", "composite"]
CHUNK = "workbench"
SCHEMA = 1
ORIGINAL_LIMIT = 32 * 2**20


@dataclass(frozen=True)
class Restored:
    """A scene read back from a picture, with sentences on what differs from when it was made."""

    spec: SceneSpec
    notes: tuple[str, ...]


def export_png(scene: Scene, which: Which = "composite", with_original: bool = False) -> bytes:
    """One of the scene's pictures as PNG bytes with everything needed to make it again.

    A text chunk `workbench` holds JSON: schema, scene, model hash, program version, realised count
    and metrics, and, if `with_original`, the photo itself.
    """
    from workbench import __version__

    metrics = scene.metrics
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "scene": {"photo": scene.spec.photo, **scene.spec.to_query()},
        "picture": which,
        "model_hash": scene.model_hash,
        "version": __version__,
        "hidden": scene.card.hidden,
        "patches": scene.card.total,
        "mse": metrics.mse,
        "psnr_db": metrics.psnr_db if metrics.mse else None,
        "ssim": metrics.ssim,
    }
    if with_original:
        header["original"] = base64.b64encode(_original(scene.spec)).decode()
    info = PngImagePlugin.PngInfo()
    info.add_itxt(CHUNK, json.dumps(header), zip=False)
    buffer = io.BytesIO()
    Image.fromarray(getattr(scene, which)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _original(spec: SceneSpec) -> bytes:
    if uploads.is_upload(spec.photo):
        return uploads.load(spec.photo)
    buffer = io.BytesIO()
    Image.fromarray(source(spec.photo)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def read_header(png: bytes) -> dict[str, Any] | None:
    """The JSON that `export_png` put into a PNG, or None for any other file."""
    text = _itxt(png)
    if text is None:
        return None
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) and "scene" in header else None


def _itxt(png: bytes) -> bytes | None:
    """Walk the chunks by hand: Pillow refuses text longer than a few megabytes."""
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    at, mark = 8, CHUNK.encode() + b"\0\0\0\0\0"
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        body = png[at + 8 : at + 8 + length]
        if png[at + 4 : at + 8] == b"iTXt" and body.startswith(mark):
            return body[len(mark) :] if length <= 2 * ORIGINAL_LIMIT else None
        at += 12 + length
    return None


def restore(png: bytes) -> Restored | None:
    """Read the scene out of a picture that `export_png` made; None for any other file.

    An original inside the picture is stored as an upload.

    Raises:
        BadInput: the scene cannot be read, or its photo is neither here nor in the picture.
    """
    header = read_header(png)
    if header is None:
        return None
    fields = header["scene"]
    if header.get("schema") != SCHEMA or not isinstance(fields, dict):
        raise BadInput(
            f"the picture's recipe has schema {shown(header.get('schema'))}, this program reads "
            f"{SCHEMA}; open it with the version that made it ({shown(header.get('version'))})."
        )
    spec = SceneSpec.from_query({str(k): str(v) for k, v in fields.items()})
    notes: list[str] = []
    if not _present(spec.photo):
        original = header.get("original")
        if not isinstance(original, str):
            raise BadInput(
                f"the picture was made from {shown(spec.photo)}, which is not on this machine; "
                "upload that photo, or export again with the original inside."
            )
        try:
            spec = spec.replace(photo=uploads.store(base64.b64decode(original, validate=True)))
        except ValueError as error:
            raise BadInput(f"the original inside the picture cannot be read: {error}") from None
        notes.append("The photo came out of the picture itself.")
    return Restored(spec, tuple(notes))


def _present(name: str) -> bool:
    if DRAWN.fullmatch(name) or any(info.name == name for info in photos()):
        return True
    return uploads.exists(name)


def data_uri(picture: Pixels, quality: int = 90) -> str:
    """A picture as a data URI: JPEG, or PNG where it has transparency."""
    buffer = io.BytesIO()
    if picture.shape[2] == 4:
        Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
        kind = "png"
    else:
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
