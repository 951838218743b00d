"""Every bad picture is refused in one sentence, from its header, within bounded memory."""

import io
import json
import os
import re
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from workbench.data import fit, open_image
from workbench.data.images import MAX_BYTES
from workbench.errors import BadInput

RAMP = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)


def saved(pixels: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode or "RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *before: bytes, pixels: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + data + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    raw = bytearray(saved(RAMP, "JPEG"))
    at = raw.index(b"\xff\xc0")
    raw[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(raw)


def webp(width: int, height: int, kind: bytes) -> bytes:
    if kind == b"VP8X":
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = b"\0\0\0\0" + size
    elif kind == b"VP8L":
        body = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(16)
    else:
        body = b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(16)
    whole = b"WEBP" + kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def other(kind: str) -> bytes:
    return saved(RAMP, kind)


TOO_LARGE = r"{} x {} px; at most 40 megapixels and 16,384 px a side are opened: shrink it first"
DAMAGED = r"damaged or cut off after [\d,]+ bytes; save or download it again"
ONLY = r"whatever its name says; only PNG, JPEG and WebP are opened: save it as one of these"
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", r"empty \(0 bytes\); choose a PNG, JPEG or WebP file"),
    "text": (lambda: b"I am a picture, honestly.", "is not a picture, " + ONLY),
    "gif": (lambda: other("GIF"), "is a GIF file, " + ONLY),
    "bmp": (lambda: other("BMP"), "is a BMP file, " + ONLY),
    "tiff": (lambda: other("TIFF"), "is a TIFF file, " + ONLY),
    "pdf": (lambda: other("PDF"), "is a PDF file, " + ONLY),
    "eps": (lambda: other("EPS"), "is an EPS file, " + ONLY),
    "avif": (lambda: other("AVIF"), "is an AVIF file, " + ONLY),
    "psd": (lambda: b"8BPS\0\1" + bytes(64), "is a PSD file, " + ONLY),
    "fits": (lambda: b"SIMPLE  =                    T" + bytes(64), "is a FITS file, " + ONLY),
    "svg": (lambda: b"<svg onload='alert(1)'/>", "is an SVG file, " + ONLY),
    "zip": (lambda: b"PK\x03\x04" + bytes(64), "is a ZIP file, " + ONLY),
    "one pixel": (
        lambda: saved(RAMP[:1, :1], "PNG"),
        r"is 1 x 1 px; at least 8 px a side are needed to hide a part of it: choose a larger",
    ),
    "20,000 wide": (lambda: png(20_000, 32), TOO_LARGE.format("20,000", "32")),
    "png bomb": (lambda: png(50_000, 50_000), TOO_LARGE.format("50,000", "50,000")),
    "jpeg bomb": (lambda: jpeg(65_000, 65_000), TOO_LARGE.format("65,000", "65,000")),
    "webp bomb": (lambda: webp(2**24, 255, b"VP8X"), TOO_LARGE.format("16,777,216", "255")),
    "webp lossless bomb": (
        lambda: webp(16_384, 16_384, b"VP8L"), TOO_LARGE.format("16,384", "16,384")),
    "webp lossy bomb": (
        lambda: webp(16_383, 16_383, b"VP8 "), TOO_LARGE.format("16,383", "16,383")),
    "compressed text bomb": (
        lambda: png(64, 48, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 * 2**20)))),
        r"carries more text or profile data than the 1 MB a chunk that is read; save it again",
    ),
    "profile bomb": (
        lambda: png(64, 48, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200 * 2**20)))),
        r"carries more text or profile data than the 1 MB a chunk",
    ),
    "magic only": (lambda: b"\x89PNG\r\n\x1a\n", "is a PNG file whose header is " + DAMAGED),
    "jpeg magic only": (lambda: b"\xff\xd8\xff", "is a JPEG file whose header is " + DAMAGED),
    "webp magic only": (lambda: b"RIFF\0\0\0\0WEBP", "is a WEBP file whose header is " + DAMAGED),
    "cut png": (lambda: saved(RAMP, "PNG")[:-40], "is a PNG file that is " + DAMAGED),
    "cut jpeg": (lambda: saved(RAMP, "JPEG")[:-200], "is a JPEG file that is " + DAMAGED),
    "cut webp": (lambda: saved(RAMP, "WEBP")[:-100], "is a WEBP file that is " + DAMAGED),
    "png without pixels": (lambda: png(64, 48), "is a PNG file that is " + DAMAGED),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_picture_is_refused_in_a_sentence_even_when_renamed(
    case: str, tmp_path: Path
) -> None:
    build, sentence = BAD[case]
    raw = build()
    for name in ("photo.png", "photo.jpg"):
        path = tmp_path / name
        path.write_bytes(raw)
        with pytest.raises(BadInput, match=rf"^{name} .*{sentence}") as refused:
            open_image(path)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 240
    with pytest.raises(BadInput, match=rf"^holiday .*{sentence}"):
        open_image(raw, name="holiday")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.png", Path("/dev/zero")):
        with pytest.raises(BadInput, match="is not a file; name a PNG, JPEG or WebP file"):
            open_image(path)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(BadInput, match="is not a file"):
        open_image(pipe)
    with pytest.raises(BadInput, match="cannot be read \\(File name too long\\)"):
        open_image(tmp_path / ("n" * 300 + ".png"))


def test_a_file_above_64_mb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    with path.open("wb") as file:  # 200 MB of uncompressed text, as a hole in the file
        file.write(png(64, 48)[:33] + struct.pack(">I", 200 * 2**20) + b"tEXta\0")
        file.truncate(200 * 2**20 + 64)
    with pytest.raises(BadInput, match=r"text.png is larger than 64 MB, the most that is read"):
        open_image(path)
    with pytest.raises(BadInput, match="larger than 64 MB"):
        open_image(bytes(MAX_BYTES + 1))


BOMBS = """
import json, resource, sys, time
from pathlib import Path
from workbench.data import open_image
from workbench.errors import BadInput
import PIL.PngImagePlugin, PIL.JpegImagePlugin, PIL.WebPImagePlugin, numpy as np, io
from PIL import Image
for kind in ("PNG", "JPEG", "WEBP"):  # decoders loaded before anything is measured
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, kind)
    open_image(buffer.getvalue())
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for path in sorted(Path(sys.argv[1]).iterdir()):
    before, started = peak(), time.process_time()
    try:
        said = "opened as " + str(open_image(path).pixels.shape)
    except BadInput as refused:
        said = str(refused)
    print(json.dumps([path.name, time.process_time() - started, peak() - before, said]))
"""


def test_bombs_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    """Each within one second of computing and 200 MB above what the process had."""
    wanted = {name for name in BAD if "bomb" in name or "20,000" in name}
    for name in wanted:
        (tmp_path / name).write_bytes(BAD[name][0]())
    (tmp_path / "40 megapixels").write_bytes(saved(np.zeros((5000, 8000), np.uint8), "JPEG"))
    frames = [Image.new("RGB", (64, 48), (i % 256, i // 256, 0)) for i in range(10_000)]
    frames[0].save(tmp_path / "frames", "PNG", save_all=True, append_images=frames[1:])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BOMBS), str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(wanted) + 2
    for name, seconds, megabytes, said in rows:
        assert seconds < 1 and megabytes < 200, (name, seconds, megabytes)
        shape = {"40 megapixels": "(1280, 2048, 3)", "frames": "(48, 64, 3)"}.get(name)
        assert re.search(BAD[name][1], said) if shape is None else said == f"opened as {shape}"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_any_prefix_and_any_damage_ends_in_a_picture_or_a_sentence(kind: str) -> None:
    whole = saved(RAMP, kind)
    rng = np.random.default_rng(5)
    damaged = [whole[:n] for n in range(0, len(whole), 7)]
    for _ in range(300):
        raw = bytearray(whole)
        for at in rng.integers(0, len(raw), 3):
            raw[at] = rng.integers(256)
        damaged.append(bytes(raw))
    refused = 0
    for raw in damaged:
        try:
            assert open_image(raw).pixels.shape[2] == 3
        except BadInput as error:
            refused += 1
            assert re.search(r"; | px", str(error))
    assert refused > len(whole) // 7 - 2


# --- unusual, but pictures ---------------------------------------------------------------------


def test_rotation_by_exif_is_applied_with_a_note() -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = (250, 10, 10)
    upright[20:, 30:] = (10, 10, 250)
    for orientation, undo in {
        2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
        6: np.rot90, 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1),
    }.items():  # fmt: skip
        exif = Image.Exif()
        exif[0x0112] = orientation
        for kind in ("PNG", "JPEG", "WEBP"):
            options = {"quality": 95} if kind != "PNG" else {}
            raw = saved(np.ascontiguousarray(undo(upright)), kind, exif=exif, **options)
            opened = open_image(raw)
            assert opened.pixels.shape == upright.shape
            difference = np.abs(opened.pixels.astype(int) - upright)
            assert np.median(difference) <= 2 and np.mean(difference > 40) < 0.1, (
                orientation,
                kind,
            )
            assert opened.notes == ["The picture was turned as its EXIF orientation says."]


# Pillow warns before it hands the picture over; outside of tests this is a line in the log.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_cost_the_picture() -> None:
    raw = saved(RAMP, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\x12\x01" * 20)
    assert open_image(raw).pixels.shape == RAMP.shape


def test_cmyk_is_converted_with_a_note() -> None:
    opened = open_image(saved(np.full((16, 16, 3), (200, 40, 90), np.uint8), "JPEG", "CMYK"))
    assert np.abs(opened.pixels.astype(int) - (200, 40, 90)).max() <= 12
    assert opened.notes == ["CMYK was converted to RGB without a colour profile."]


def test_sixteen_bits_are_read_as_eight_with_a_note() -> None:
    levels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    opened = open_image(buffer.getvalue())
    assert np.array_equal(opened.pixels, np.repeat((levels // 257)[..., None], 3, 2))
    assert opened.notes == ["16 bits a channel were read as 8."]
    rows = b"".join(b"\0" + struct.pack(">24H", *([65535, 0, 32768] * 8)) for _ in range(8))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    raw = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    opened = open_image(raw)
    assert (opened.pixels == (255, 0, 128)).all()
    assert opened.notes == ["16 bits a channel were read as 8."]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_laid_on_grey_with_a_note(kind: str) -> None:
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[..., 0], rgba[:8, :, 3], rgba[8:, :, 3] = 255, 255, 51
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, kind, lossless=True)
    opened = open_image(buffer.getvalue())
    assert (opened.pixels[:8] == (255, 0, 0)).all()
    assert np.abs(opened.pixels[8:].astype(int) - (153, 102, 102)).max() <= 1  # 0.2 red, 0.8 grey
    assert opened.notes == ["Transparent parts were laid on mid-grey."]


def test_palettes_grey_and_one_bit_are_converted_without_a_word() -> None:
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:8], colours[8:] = (255, 0, 0), (0, 0, 255)
    for mode in ("P", "L", "1", "LA", "RGBA"):
        opened = open_image(saved(colours, "PNG", mode))
        wanted = np.asarray(Image.fromarray(colours).convert(mode).convert("RGB"))
        assert np.array_equal(opened.pixels, wanted) and opened.notes == []
    transparent = Image.fromarray(colours).convert("P")
    buffer = io.BytesIO()
    transparent.save(buffer, "PNG", transparency=transparent.getpixel((0, 0)))
    opened = open_image(buffer.getvalue())
    assert (opened.pixels[0] == 128).all() and (opened.pixels[15] == (0, 0, 255)).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_shown_with_a_note(kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), c) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], lossless=True)
    opened = open_image(buffer.getvalue(), name="dance")
    assert (opened.pixels == (255, 0, 0)).all()
    assert opened.notes == ["dance holds 3 frames; the first one is shown."]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_large_picture_is_shrunk_with_a_note(kind: str) -> None:
    ramp = np.linspace(0, 255, 3000).astype(np.uint8)
    wide = np.repeat(np.repeat(ramp[None, :, None], 600, 0), 3, 2)
    opened = open_image(saved(wide, kind))
    assert opened.pixels.shape == (410, 2048, 3)
    assert opened.notes == ["The picture was shrunk from 3000 x 600 to 2048 x 410 px."]
    wanted = np.linspace(0, 255, 2048)
    assert np.abs(opened.pixels[200, :, 1] - wanted).max() < 4


def test_ordinary_pictures_open_to_the_bit_and_without_notes() -> None:
    for kind, options in {"PNG": {}, "WEBP": {"lossless": True}}.items():
        opened = open_image(saved(RAMP, kind, **options))
        assert np.array_equal(opened.pixels, RAMP) and opened.notes == []
    info = PngImagePlugin.PngInfo()
    info.add_itxt("workbench", "x" * (3 * 2**20))  # what a picture exported with its original has
    assert np.array_equal(open_image(saved(RAMP, "PNG", pnginfo=info)).pixels, RAMP)


# --- fitting -----------------------------------------------------------------------------------


def test_fit_keeps_what_it_says() -> None:
    ramp = np.arange(0, 200, dtype=np.uint8)
    wide = np.repeat(np.repeat(ramp[None, :, None], 100, 0), 3, 2)
    assert np.array_equal(fit(wide, 100, 100), wide[:, 50:150])
    assert np.array_equal(fit(wide.swapaxes(0, 1), 100, 100), wide.swapaxes(0, 1)[50:150])
    boxed = fit(wide, 100, 100, "letterbox")
    assert (boxed[:25] == 128).all() and (boxed[75:] == 128).all()
    assert np.abs(boxed[50, :, 0] - (2 * np.arange(100) + 0.5)).max() <= 1
    stretched = fit(wide, 50, 400, "resize")
    assert stretched.shape == (50, 400, 3)
    assert np.abs(stretched[7, :, 2] - (np.arange(400) / 2 - 0.25)).max() <= 1
    thin = fit(wide[:1], 40, 20, "letterbox")
    assert thin.shape == (40, 20, 3) and (thin[0] == 128).all() and (thin[19, :, 0] != 128).any()
    with pytest.raises(BadInput, match="fit='zoom' is not known; choose one of crop, letterbox"):
        fit(wide, 8, 8, "zoom")  # type: ignore[arg-type]
