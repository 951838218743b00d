"""What a file says it is in its first bytes: format and size, read before any decoder runs."""

import struct
from dataclasses import dataclass

OTHERS = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"%!PS": "an EPS",
    b"8BPS": "a PSD",
    b"SIMPLE  =": "a FITS",
    b"PK\x03\x04": "a ZIP",
    b"\0\0\1\0": "an ICO",
    b"<svg": "an SVG",
    b"<?xml": "an XML",
}
HEIF_BRANDS = {b"avif": "an AVIF", b"avis": "an AVIF", b"heic": "a HEIC", b"heix": "a HEIC"}
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True)
class Header:
    """Format ("PNG", "JPEG" or "WEBP"), width and height in pixels, and bits a channel."""

    format: str
    width: int
    height: int
    bits: int = 8


def known_format(raw: bytes) -> str | None:
    """Return "PNG", "JPEG" or "WEBP" by the magic bytes, None for everything else."""
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if raw.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "WEBP"
    return None


def other_kind(raw: bytes) -> str:
    """Name a kind of file that is not opened here, as in "a GIF" or "not a picture"."""
    if raw[4:8] == b"ftyp":
        return HEIF_BRANDS.get(raw[8:12], "a HEIF or MP4") + " file"
    for magic, kind in OTHERS.items():
        if raw.startswith(magic):
            return kind + " file"
    return "not a picture"


def read_header(raw: bytes) -> Header | None:
    """Read format and size; None if the header is damaged, cut off or of another format.

    Formats: PNG (W3C PNG, section 11.2.1), JPEG (ITU-T T.81, annex B), WebP (RFC 9649, section 2).
    """
    reader = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp}.get(known_format(raw) or "")
    if reader is None:
        return None
    try:
        return reader(raw)
    except (struct.error, IndexError):
        return None


def _png(raw: bytes) -> Header | None:
    if raw[12:16] != b"IHDR":
        return None
    width, height, bits = struct.unpack(">IIB", raw[16:25])
    return Header("PNG", width, height, bits)


def _jpeg(raw: bytes) -> Header | None:
    at = 2
    while True:
        if raw[at] != 0xFF:
            return None
        marker = raw[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in WITHOUT_LENGTH:
            at += 2
        elif marker in START_OF_FRAME:
            bits, height, width = struct.unpack(">BHH", raw[at + 4 : at + 9])
            return Header("JPEG", width, height, bits)
        else:
            at += 2 + struct.unpack(">H", raw[at + 2 : at + 4])[0]


def _webp(raw: bytes) -> Header | None:
    chunk = raw[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(raw[24:27], "little") + 1
        height = int.from_bytes(raw[27:30], "little") + 1
        return Header("WEBP", width, height) if len(raw) >= 30 else None
    if chunk == b"VP8L":
        packed = struct.unpack("<I", raw[21:25])[0]
        return Header("WEBP", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", raw[26:30])
        return Header("WEBP", width & 0x3FFF, height & 0x3FFF)
    return None
