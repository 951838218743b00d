"""Score maps of the user's own: files in and out, kept by content, never a path in a recipe."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import cli
from workbench.data import score_maps
from workbench.errors import BadInput
from workbench.masks import MASKS
from workbench.scenes import SceneSpec, compose, preview, with_drawn_map

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], workbench_home: Path) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


VALUES = np.linspace(-3, 7, 35).reshape(5, 7)


@pytest.mark.parametrize(("ending", "close"), [(".npy", 1e-6), (".png", 10 / 65_535)])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str, close: float) -> None:
    path = score_maps.write_map(tmp_path / f"map{ending}", VALUES)
    assert score_maps.read_map(path) == pytest.approx(VALUES.astype(np.float32), abs=close)


def test_a_foreign_grey_png_is_0_to_1(tmp_path: Path) -> None:
    levels = np.array([[0, 51], [102, 255]], np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert score_maps.read_map(tmp_path / "a.png") == pytest.approx(levels / 255)
    Image.fromarray((levels.astype(np.uint16)) * 257).save(tmp_path / "b.png")
    assert score_maps.read_map(tmp_path / "b.png") == pytest.approx(levels / 255, abs=1e-4)


def _npy(values: object, **how: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, **how)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("a.txt", b"", "no known ending"),
        ("a.npy", b"", "no whole map file"),
        ("a.npy", _npy(np.array([{}], object), allow_pickle=True), "holds object"),
        ("a.npy", _npy(np.zeros((2, 2, 2))), r"\[rows, columns\]"),
        ("a.npy", _npy(np.zeros((5, 5)))[:-8], "no whole map file"),
        ("a.npy", _npy(np.full((2, 2), np.inf)), "no numbers"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "no whole map file|no PNG"),
    ],
)
def test_a_bad_file_is_told(tmp_path: Path, name: str, raw: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(BadInput, match=words):
        score_maps.read_map(tmp_path / name)


def test_maps_are_kept_by_content_and_only_ids_are_opened(
    workbench_home: Path, tmp_path: Path
) -> None:
    first = score_maps.store(VALUES)
    assert first == score_maps.store(VALUES) and first != score_maps.store(VALUES + 1)
    assert np.array_equal(score_maps.load(first), VALUES.astype(np.float32))
    path = workbench_home / "maps" / first
    assert path.stat().st_mode & 0o077 == 0
    secret = tmp_path / "secret.npy"
    np.save(secret, VALUES)
    for name in (str(secret), "../secret.npy", f"{first}/", "map-" + "0" * 32):
        with pytest.raises(BadInput):
            score_maps.load(name)
    other = workbench_home / "maps" / ("map-" + "1" * 32)
    other.symlink_to(secret)
    with pytest.raises(BadInput, match="There is no map"):
        score_maps.load(other.name)


def test_a_link_cannot_open_a_file(workbench_home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.npy"
    np.save(secret, VALUES)
    for score in (
        f'drawn(map="{secret}")', f'depth(map="{secret}")',
        f'text_similarity(prompt="x", clip="{tmp_path}")',
    ):  # fmt: skip
        spec = SceneSpec.from_query({"mask": f"guided(scores={score!r})"})
        with pytest.raises(BadInput, match=r"was given|there is no CLIP called"):
            preview(spec)


def test_a_scene_follows_a_kept_map_and_carries_it(workbench_home: Path) -> None:
    slope = np.arange(144.0).reshape(12, 12)
    kept = score_maps.store(slope)
    spec = SceneSpec(mask=f"guided(ratio=0.25, scores='drawn(map=\"{kept}\")')")
    shown = preview(spec)
    assert shown.hidden.ravel()[-36:].all() and shown.card.hidden == 36
    ((recipe, values),) = shown.maps.items()
    assert recipe == f'drawn(map="{kept}")' and np.array_equal(values[0], slope)
    own = compose(spec, maps={recipe: -values})
    assert own.hidden.ravel()[:36].all()


def test_maps_are_made_once_for_a_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.scores import edges

    calls: list[int] = []
    own = edges.Edges.maps

    def counted(self: edges.Edges, *rest: object) -> object:
        calls.append(1)
        return own(self, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(edges.Edges, "maps", counted)
    for seed in range(4):
        preview(SceneSpec(photo="rocket", mask='guided(share=0.5, scores="edges()")', seed=seed))
    preview(SceneSpec(photo="rocket", mask='quadtree(scores="edges()")'))
    assert len(calls) == 1


def test_painted_patches_become_a_map() -> None:
    recipe = with_drawn_map("guided(ratio=0.1)", "0110" + "0" * 140)
    assert MASKS.parse(recipe).needs == ('drawn(patches="1-2")',)


# --- commands -----------------------------------------------------------------------------------


def test_scores_are_listed(run: Run) -> None:
    status, told, _ = run("scores", "--json")
    rows = {row["name"]: row for row in json.loads(told)["scores"]}
    assert status == 0 and rows["parts"]["kind"] == "labels"
    assert rows["attention"]["wants"] == ["model"]
    assert "edges: How strong" in run("scores")[1]


def test_a_map_goes_out_and_guides_a_mask_of_another_photo(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "face.npy"
    status, told, _ = run("score", "variance()", "astronaut", "--out", file, "--json")
    record = json.loads(told)
    assert status == 0 and record["high"] == pytest.approx(float(np.load(file).max()))
    mask = "guided(ratio=0.25, scores='drawn(map=\"face\")')"
    out = tmp_path / "out"
    done = ("reconstruct", "coffee", "--mask", mask, "--map", f"face={file}", "--out", out)
    status, told, err = run(*done, "--json")
    report = json.loads(told)
    assert status == 0, err
    top = np.argsort(np.load(file).ravel())[-36:]
    assert np.flatnonzero(np.array(hidden_of(report))).tolist() == sorted(top.tolist())
    assert np.array_equal(np.load(out / "map-1.npy"), np.load(file))
    assert score_maps.read_map(out / "map-1.png") == pytest.approx(np.load(file), abs=1e-4)
    assert list(report["maps"].values()) == ["map-1.npy"]


def hidden_of(report: dict) -> np.ndarray:
    """The hidden patches of a report, from the map that its recipe names."""
    scene = preview(SceneSpec(photo=report["photo"], mask=report["mask"], seed=report["seed"]))
    return scene.hidden.ravel()


def test_draw_looks_at_a_photo(run: Run) -> None:
    told = json.loads(run("draw", "quadtree()", "--photo", "coffee", "--count", 3, "--json")[1])
    assert told["hidden"] == {"min": 147, "max": 147, "mean": 147} and len(told["masks"]) == 3
    status, _, err = run("draw", "quadtree()")
    assert status == 2 and "looks at a photo, but none was given; add --photo" in err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("x", "--map is 'x', but must be NAME=FILE"),
        ("face=nothing.npy", "There is no file"),
        ("../a=b.npy", "must be NAME=FILE"),
    ],
)
def test_a_bad_map_is_refused(run: Run, tmp_path: Path, given: str, words: str) -> None:
    status, _, err = run(
        "reconstruct", "coffee", "--mask", "random()", "--map", given, "--out", tmp_path / "o"
    )
    assert status == 2 and words in err and not (tmp_path / "o").exists()
