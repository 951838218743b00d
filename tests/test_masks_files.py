"""Masks in files: bit-exact round trips, COCO's own reader, foreign pictures, hostile files."""

import json
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco

from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Mask, rle

ENDINGS = ["npz", "png", "json", "rle.json"]
BATCHES = {
    "one": MASKS.parse("random").sample(Grid(14, 14, patch=16)),
    "many": MASKS.parse("block").sample(Grid(6, 9, patch=3), count=5, seed=2),
    "targets": MASKS.parse("multi_block").sample(Grid(8, 8), count=3),
    "clip": MASKS.parse("random").sample(Grid(4, 3, patch=2, frames=5), count=2),
    "single": Mask.from_bits("1", Grid(1, 1, patch=1)),
    "none": Mask.from_bits("0" * 12, Grid(3, 4, domain="frequency")),
    "all": Mask.from_bits("1" * 12, Grid(3, 4)),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", BATCHES)
def test_a_mask_comes_back_to_the_bit(name, ending, tmp_path):
    mask, path = BATCHES[name], tmp_path / f"mask.{ending}"
    assert mask.save(path) == path
    back = Mask.load(path)
    assert back == mask and back.grid == mask.grid
    assert Mask.load(path, grid=Grid(*mask.grid.shape[-2:], frames=mask.grid.frames)) == mask
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["png", "rle.json"])
@pytest.mark.parametrize("name", BATCHES)
def test_at_pixel_size_too(name, ending, tmp_path):
    mask, path = BATCHES[name], tmp_path / f"mask.{ending}"
    mask.save(path, pixels=True)
    assert Mask.load(path) == mask


def test_what_others_find_in_the_files(tmp_path):
    mask = BATCHES["many"]
    with np.load(mask.save(tmp_path / "m.npz"), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["hidden"], mask.hidden)
        assert arrays["hidden"].dtype == np.bool_
        assert json.loads(str(arrays["header"]))["grid"]["patch"] == 3
    picture = Image.open(BATCHES["one"].save(tmp_path / "m.png"))
    assert (picture.mode, picture.size) == ("L", (14, 14))
    assert np.array_equal(np.asarray(picture) == 0, BATCHES["one"].hidden[0])
    assert set(np.unique(picture).tolist()) == {0, 255}
    record = json.loads(mask.save(tmp_path / "m.json").read_text())
    assert record["hidden"][2] == mask[2].to_bits() and record["schema"] == 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
def test_coco_reads_what_we_write(tmp_path):
    mask = BATCHES["many"]
    for pixels in (False, True):
        path = mask.save(tmp_path / "m.rle.json", pixels=pixels)
        wanted = mask.to_pixels() if pixels else mask.hidden
        for record, cells in zip(json.loads(path.read_text())["hidden"], wanted, strict=True):
            assert np.array_equal(coco.decode(record).astype(bool), cells)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_run_lengths_are_cocos_both_ways(rows, cols, percent, seed):
    cells = np.random.default_rng(seed).random((rows, cols)) < percent / 100
    official = coco.encode(np.asfortranarray(cells, np.uint8))
    assert rle.encode(cells) == {"size": [rows, cols], "counts": official["counts"].decode()}
    assert np.array_equal(rle.decode(rle.encode(cells), 1 << 20), cells)


def test_long_runs_are_cocos_too():
    cells = np.zeros((3_000, 2_000), bool)
    cells[700:2_400, 30:1_950] = True
    official = coco.encode(np.asfortranarray(cells, np.uint8))
    record = rle.encode(cells)
    assert record["counts"] == official["counts"].decode()
    assert np.array_equal(rle.decode(record, cells.size), cells)


@given(
    st.lists(st.integers(0, 1 << 26), min_size=1, max_size=40),
)
def test_packed_runs_unpack(runs):
    assert rle.unpack(rle.pack(runs)) == runs


def _picture(tmp_path, array, mode=None):
    path = tmp_path / "foreign.png"
    Image.fromarray(array, mode).save(path)
    return path


def test_a_foreign_picture_is_thresholded_by_share(tmp_path):
    levels = np.full((30, 40), 255, np.uint8)
    levels[:10, :10] = 0  # patch (0, 0) whole
    levels[10:15, :10] = 0  # half of patch (1, 0)
    levels[20:24, 30:] = 0  # four tenths of patch (2, 3)
    path = _picture(tmp_path, levels)
    grid = Grid(3, 4, patch=16)
    assert Mask.load(path, grid).to_bits() == "100010000000"
    assert Mask.load(path, grid, threshold=0.4).to_bits() == "100010000001"
    assert Mask.load(path, grid, threshold=0.51).to_bits() == "100000000000"
    with pytest.raises(BadInput, match=r"does not name its grid; give grid=Grid"):
        Mask.load(path)


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_shares_are_areas(height, width, rows, cols, seed):
    """Against counting on a picture enlarged until every patch is whole pixels."""
    from workbench.masks.storage import shares

    dark = np.random.default_rng(seed).random((height, width)) < 0.5
    fine = dark.repeat(rows, axis=0).repeat(cols, axis=1)
    wanted = fine.reshape(rows, height, cols, width).mean(axis=(1, 3))
    assert shares(dark, rows, cols) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_foreign_pictures_of_every_kind(mode, tmp_path):
    dark = np.zeros((20, 20), bool)
    dark[:10, 10:] = True
    levels = np.where(dark, 0, 255).astype(np.uint8)
    path = tmp_path / "m.png"
    if mode == "I;16":
        Image.fromarray(np.where(dark, 9, 65_000).astype(np.uint16)).save(path)
    elif mode in ("LA", "RGBA"):  # black strokes on nothing
        picture = Image.new(mode, (20, 20))
        picture.putalpha(Image.fromarray(255 - levels))
        picture.save(path)
    else:
        Image.fromarray(levels).convert(mode).save(path)
    assert Mask.load(path, Grid(2, 2)).to_bits() == "0100"


def test_a_foreign_rle_is_thresholded_too(tmp_path):
    cells = np.zeros((20, 20), np.uint8)
    cells[:10, 10:] = 1
    official = coco.encode(np.asfortranarray(cells))
    official["counts"] = official["counts"].decode()
    path = tmp_path / "m.json"
    path.write_text(json.dumps(official))
    assert Mask.load(path, Grid(2, 2)).to_bits() == "0100"
    path.write_text(json.dumps([{"size": [20, 20], "counts": [200, 200]}, official]))
    assert [mask.to_bits() for mask in Mask.load(path, Grid(2, 2))] == ["0101", "0100"]


def _npy(array):
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _npy_header(shape, descr):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def _zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def _png_header(width, height):
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + chunk


class Marker:
    """A pickle that would leave a mark."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


GRID = {"rows": 2, "cols": 2, "patch": 16, "frames": None, "domain": "image"}
OURS = {"schema": 1, "grid": GRID, "count": 1, "parts": 0}
HOSTILE = {
    "empty.npz": lambda p: b"",
    "text.npz": lambda p: b"not a zip",
    "other.npz": lambda p: _zip(p, thing=_npy(np.zeros(3))).read_bytes(),
    "pickle.npz": lambda p: _zip(
        p, hidden=_npy(np.array([Marker(p.parent / "marker")], object))
    ).read_bytes(),
    "float.npz": lambda p: _zip(p, hidden=_npy(np.zeros((1, 2, 2)))).read_bytes(),
    "bytes.npz": lambda p: _zip(p, hidden=_npy_header((1, 2, 2), "|b1") + b"\2\0\0\0").read_bytes(),
    "short.npz": lambda p: _zip(p, hidden=_npy_header((1, 2, 2), "|b1") + b"\0").read_bytes(),
    "claims.npz": lambda p: _zip(p, hidden=_npy_header((1 << 20, 1 << 20), "|b1")).read_bytes(),
    "bomb.npz": lambda p: _zip(
        p, hidden=_npy_header((1 << 30,), "|b1") + bytes(1 << 27)
    ).read_bytes(),
    "negative.npz": lambda p: _zip(p, hidden=_npy_header((-1, 2, 2), "|b1")).read_bytes(),
    "code.npz": lambda p: _zip(
        p, hidden=_npy_header("__import__('os').getpid()", "|b1")
    ).read_bytes(),
    "header.npz": lambda p: _zip(
        p, hidden=_npy(np.zeros((1, 2, 2), bool)), header=_npy(np.array("[" * 9_000))
    ).read_bytes(),
    "grid.npz": lambda p: _zip(
        p, hidden=_npy(np.zeros((1, 2, 3), bool)), header=_npy(np.array(json.dumps(OURS)))
    ).read_bytes(),
    "empty.png": lambda p: b"",
    "jpeg.png": lambda p: b"\xff\xd8\xff\xe0" + bytes(100),
    "bomb.png": lambda p: _png_header(50_000, 50_000) + bytes(100),
    "nothing.png": lambda p: _png_header(0, 5) + bytes(100),
    "cut.png": lambda p: _png_header(4, 4),
    "empty.json": lambda p: b"",
    "list.json": lambda p: b"[]",
    "number.json": lambda p: b"5",
    "deep.json": lambda p: b"[" * 100_000,
    "binary.json": lambda p: b"\x80\x81",
    "schema.json": lambda p: json.dumps({**OURS, "schema": 99}).encode(),
    "bits.json": lambda p: json.dumps({**OURS, "hidden": ["01"]}).encode(),
    "fewer.json": lambda p: json.dumps({**OURS, "hidden": []}).encode(),
    "more.json": lambda p: json.dumps({**OURS, "hidden": ["0101"] * 3}).encode(),
    "lost.json": lambda p: json.dumps(OURS).encode(),
    "typed.json": lambda p: json.dumps({**OURS, "count": "1", "hidden": ["0101"]}).encode(),
    "huge.json": lambda p: json.dumps({**OURS, "count": 10**30, "hidden": ["0101"]}).encode(),
    "knob.json": lambda p: json.dumps({**OURS, "grid": {**GRID, "x": 1}, "hidden": []}).encode(),
    "size.json": lambda p: b'{"size": [100000000, 100000000], "counts": [1]}',
    "runs.json": lambda p: b'{"size": [2, 2], "counts": [1]}',
    "minus.json": lambda p: b'{"size": [2, 2], "counts": [-1, 5]}',
    "text.json": lambda p: b'{"size": [2, 2], "counts": "~~~"}',
    "endless.json": lambda p: b'{"size": [2, 2], "counts": "PPPPPPPPPPPPPPPPPPP"}',
    "flood.json": lambda p: json.dumps(
        [{"size": [4096, 4096], "counts": [1 << 24]}] * 1_000
    ).encode(),
    "odd.json": lambda p: b'[{"size": [[[2]], {}]}, 5]',
    "cut.rle.json": lambda p: b'{"size": [2, 2], "counts": "P"}',
    "none.rle.json": lambda p: b'{"size": [2, 2]}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(name, tmp_path):
    path = tmp_path / name
    data = HOSTILE[name](path)
    path.write_bytes(data)
    del data
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(BadInput) as caught:
            Mask.load(path, Grid(2, 2) if name != "grid.npz" else None)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 5
    sentence = str(caught.value)
    assert name in sentence and "\n" not in sentence and len(sentence) < 400
    assert not (tmp_path / "marker").exists()


def test_a_text_bomb_in_a_png_is_refused(tmp_path):
    path = BATCHES["one"].save(tmp_path / "m.png")
    data = path.read_bytes()
    text = b"zTXtworkbench\0\0" + zlib.compress(b" " * 200_000_000)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    path.write_bytes(data[:33] + chunk + data[33:])
    with pytest.raises(BadInput, match=r"'m.png' is no whole .png mask file"):
        Mask.load(path)


def test_paths_and_endings(tmp_path):
    mask = BATCHES["one"]
    with pytest.raises(BadInput, match=r"'m.tiff' has no known ending; masks are .npz, .png"):
        mask.save(tmp_path / "m.tiff")
    with pytest.raises(BadInput, match=r"There is no file 'gone.npz'; check the path"):
        Mask.load(tmp_path / "gone.npz")
    (tmp_path / "file").write_bytes(b"")
    for place, why in (("no", "No such file"), ("file", "Not a directory")):
        with pytest.raises(BadInput, match=rf"'m.npz' cannot be written to .* \({why}"):
            mask.save(tmp_path / place / "m.npz")
    for long in ("n" * 250 + ".npz", "n" * 300 + ".npz"):
        with pytest.raises(BadInput, match=r"cannot be written to .* \(File name too long\)"):
            mask.save(tmp_path / long)
    with pytest.raises(BadInput, match="There is no file 'nnn"):
        Mask.load(tmp_path / ("n" * 300 + ".npz"))
    with pytest.raises(BadInput, match="There is no file"):
        Mask.load(tmp_path.with_suffix(".png"))
    path = mask.save(tmp_path / "m.npz")
    with pytest.raises(BadInput, match=r"on the grid \(14, 14\), but \(7, 7\) is wanted"):
        Mask.load(path, Grid(7, 7))
    for threshold in (0, -1, 1.5, float("nan")):
        with pytest.raises(BadInput, match="threshold is"):
            Mask.load(path, threshold=threshold)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    mask, path = BATCHES["one"], tmp_path / "m.png"
    mask.save(path)
    before = path.read_bytes()
    huge = Mask(np.zeros((1, 1 << 12, 1 << 12), bool), Grid(1 << 12, 1 << 12, patch=2))
    with pytest.raises(BadInput, match=r"would hold 67108864 cells, but a .png file holds at most"):
        huge.save(path, pixels=True)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["m.png"]
