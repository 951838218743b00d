"""Open a picture that somebody else made, safely, and fit it to the size a model wants."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.data.headers import Header, known_format, other_kind, read_header
from workbench.errors import BadInput

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384
MIN_SIDE = 8
LONGEST = 2048
GREY = 128

How = Literal["crop", "letterbox", "resize"]
# What Pillow's decoders raise for damaged files; one sentence stands for all of them.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Opened:
    """A picture ready for use: `pixels` is uint8 [h, w, 3]; `notes` say what was changed."""

    pixels: NDArray[np.uint8]
    notes: list[str] = field(default_factory=list[str])


def open_image(source: str | Path | bytes, *, name: str = "", longest: int = LONGEST) -> Opened:
    """Decode a PNG, JPEG or WebP of any colour type into RGB, and refuse everything else.

    Format and size are read from the header before a decoder runs, so that a decompression bomb
    costs nothing. Rotation by EXIF is applied, transparency is laid on mid-grey, the first frame
    of an animation is taken, and a picture with a side above `longest` is shrunk; each with a note.

    Args:
        source: a path, or the file's bytes.
        name: what messages call the picture; the file name when empty.
        longest: longest side of the result in pixels.

    Raises:
        BadInput: not a PNG, JPEG or WebP; damaged or cut off; above 64 MB, 40 megapixels or
            16,384 px a side; below 8 px a side; text chunks above Pillow's limits.
    """
    if isinstance(source, bytes):
        raw, name = source, name or "the picture"
    else:
        raw, name = _read(Path(source), name), name or Path(source).name
    header = check_header(raw, name)
    notes: list[str] = []
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as picture:
            _check_size(picture.width, picture.height, name)
            frames = int(getattr(picture, "n_frames", 1))
            if frames > 1:
                notes.append(f"{name} holds {frames:,} frames; the first one is shown.")
            return Opened(_decode(picture, header, longest, notes), notes)
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise BadInput(_too_large(header.width, header.height, name)) from None
    except DAMAGE as error:
        if "too large" in str(error) or "Too much memory" in str(error):
            raise BadInput(
                f"{name} carries more text or profile data than the 1 MB a chunk that is read; "
                "save it again without metadata"
            ) from None
        raise BadInput(
            f"{name} is a {header.format} file that is damaged or cut off after {len(raw):,} "
            "bytes; save or download it again"
        ) from None


def check_header(raw: bytes, name: str) -> Header:
    """Return what the header says, or refuse the file by it, without decoding anything.

    Args:
        raw: the file's bytes; the first part of the file is enough if it holds the header.
        name: what messages call the picture.

    Raises:
        BadInput: as `open_image`.
    """
    if not raw:
        raise BadInput(f"{name} is empty (0 bytes); choose a PNG, JPEG or WebP file")
    if len(raw) > MAX_BYTES:
        raise BadInput(_too_heavy(name))
    if known_format(raw) is None:
        raise BadInput(
            f"{name} is {other_kind(raw)}, whatever its name says; "
            "only PNG, JPEG and WebP are opened: save it as one of these"
        )
    header = read_header(raw)
    if header is None:
        raise BadInput(
            f"{name} is a {known_format(raw)} file whose header is damaged or cut off after "
            f"{len(raw):,} bytes; save or download it again"
        )
    _check_size(header.width, header.height, name)
    return header


def fit(pixels: NDArray[np.uint8], height: int, width: int, how: How = "crop") -> NDArray[np.uint8]:
    """Bring a picture to a model's size with Lanczos resampling (integer arithmetic, repeatable).

    Args:
        pixels: uint8 [h, w, 3].
        height: wanted height in pixels.
        width: wanted width in pixels.
        how: "crop" keeps the largest centred part of the right shape, "letterbox" keeps all and
            adds mid-grey bars, "resize" keeps all and stretches.

    Returns:
        uint8 [height, width, 3].

    Raises:
        BadInput: if `how` is none of the three.
    """
    if how not in get_args(How):
        raise BadInput(f"fit={how!r} is not known; choose one of {', '.join(get_args(How))}")
    h, w = pixels.shape[:2]
    if (h, w) == (height, width):
        return pixels
    if how == "crop":
        scale = min(h / height, w / width)
        tall, wide = min(h, height * scale), min(w, width * scale)  # not an ulp beyond the picture
        top, left = (h - tall) / 2, (w - wide) / 2
        return _resample(pixels, height, width, (left, top, left + wide, top + tall))
    if how == "resize":
        return _resample(pixels, height, width, (0, 0, w, h))
    scale = min(height / h, width / w)
    tall, wide = max(1, round(h * scale)), max(1, round(w * scale))
    out = np.full((height, width, 3), GREY, np.uint8)
    top, left = (height - tall) // 2, (width - wide) // 2
    out[top : top + tall, left : left + wide] = _resample(pixels, tall, wide, (0, 0, w, h))
    return out


def _resample(
    pixels: NDArray[np.uint8], height: int, width: int, box: tuple[float, float, float, float]
) -> NDArray[np.uint8]:
    picture = Image.fromarray(pixels).resize(
        (width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0
    )
    return np.asarray(picture)


def _read(path: Path, name: str) -> bytes:
    name = name or path.name
    try:
        if not path.is_file():  # also keeps devices and pipes from being read for ever
            raise BadInput(f"{path} is not a file; name a PNG, JPEG or WebP file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1) if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the file") from None
    if raw is None or len(raw) > MAX_BYTES:
        raise BadInput(_too_heavy(name))
    return raw


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise BadInput(_too_large(width, height, name))
    if min(width, height) < MIN_SIDE:
        raise BadInput(
            f"{name} is {width} x {height} px; at least {MIN_SIDE} px a side are needed "
            "to hide a part of it: choose a larger picture"
        )


def _too_large(width: int, height: int, name: str) -> str:
    return (
        f"{name} is {width:,} x {height:,} px; at most {MAX_PIXELS // 10**6} megapixels and "
        f"{MAX_SIDE:,} px a side are opened: shrink it first"
    )


def _too_heavy(name: str) -> str:
    return f"{name} is larger than {MAX_BYTES // 2**20} MB, the most that is read; shrink it first"


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # a broken EXIF block must not cost the picture, whatever its parser raises
        return 1


def _decode(
    picture: Image.Image, header: Header, longest: int, notes: list[str]
) -> NDArray[np.uint8]:
    width, height = picture.size
    scale = min(1.0, longest / max(width, height))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        picture.draft(None, small)  # lets libjpeg decode at 1/2, 1/4 or 1/8
        notes.append(
            f"The picture was shrunk from {width} x {height} to {small[0]} x {small[1]} px."
        )
    if header.bits == 16:
        notes.append("16 bits a channel were read as 8.")
    picture.load()
    turn = TURNS.get(_orientation(picture))  # after the pixels: a PNG may carry EXIF behind them
    plain = _plain(picture, notes)
    if scale < 1:
        plain = plain.resize(small, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if turn is not None:
        plain = plain.transpose(turn)
        notes.append("The picture was turned as its EXIF orientation says.")
    return np.asarray(_flatten(plain, notes))


def _plain(picture: Image.Image, notes: list[str]) -> Image.Image:
    """Bring any mode to L, RGB or RGBA."""
    if picture.mode.startswith("I"):
        deep = np.asarray(picture)
        return Image.fromarray((deep >> 8).astype(np.uint8))
    if picture.mode == "CMYK":
        notes.append("CMYK was converted to RGB without a colour profile.")
        return picture.convert("RGB")
    if picture.has_transparency_data:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def _flatten(picture: Image.Image, notes: list[str]) -> Image.Image:
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    alpha = picture.getchannel("A")
    if alpha.getextrema() != (255, 255):
        notes.append("Transparent parts were laid on mid-grey.")
    flat = Image.new("RGB", picture.size, (GREY, GREY, GREY))
    flat.paste(picture.convert("RGB"), mask=alpha)
    return flat
