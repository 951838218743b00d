"""The gallery: one tile a strategy from the registry alone, a page that needs nothing else."""

import io
import json
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from workbench import cli
from workbench.commands.gallery import page
from workbench.errors import BadInput
from workbench.masks import MASKS, Grid, Strategy
from workbench.scenes import SceneSpec, preview
from workbench.scenes.gallery import KINDS, contact_sheet, paper_link, shaded, tile, tiles

ROOT = Path(__file__).parents[1]
SPEC = SceneSpec(photo="coffee", seed=3)


@pytest.fixture(scope="module")
def made() -> Any:
    return tiles(SPEC)


@dataclass(frozen=True, kw_only=True)
class Refuses(Strategy):
    """A strategy that cannot be drawn."""

    name: ClassVar[str] = "refuses"
    paper: ClassVar[str] = 'a book, "<b>Masks</b>"'

    def draw(self, grid: Grid, noise: Any, maps: Any) -> Any:
        raise BadInput("this <strategy> wants a Tuesday; come back then.")


@dataclass(frozen=True, kw_only=True)
class Breaks(Refuses):
    """A strategy with a mistake in it."""

    name: ClassVar[str] = "breaks"

    def draw(self, grid: Grid, noise: Any, maps: Any) -> Any:
        raise ZeroDivisionError("oh")


class Offer:
    """What an entry point of another distribution is to the registry."""

    def __init__(self, member: type) -> None:
        self.member = member

    def load(self) -> type:
        return self.member


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two strategies that another distribution brings."""
    offers = {**MASKS._offers, "refuses": Offer(Refuses), "breaks": Offer(Breaks)}
    monkeypatch.setitem(MASKS.__dict__, "_offers", offers)
    monkeypatch.setattr(MASKS, "_found", dict(MASKS._found))


def test_every_strategy_has_a_tile_and_is_drawn(made: Any) -> None:
    assert [each.name for each in made] == MASKS.names()
    assert {each.name: each.problem for each in made if each.problem} == {}
    for each in made:
        assert MASKS.parse(each.recipe) == MASKS.get(each.name)()
        assert each.kind in KINDS and each.summary and each.promise
        assert each.picture.dtype == np.uint8 and max(each.picture.shape) <= 220


def test_a_tile_is_the_mask_that_the_first_view_opens_with(made: Any) -> None:
    single = [each for each in made if each.frames == 1 and each.kind != "frequency"]
    assert len(single) > 15
    for each in single:
        card = preview(SPEC.replace(mask=each.recipe)).card
        assert (each.hidden, each.total) == (card.hidden, card.total), each.name
        if each.hidden:
            assert f"{card.hidden} of {card.total} patches" in each.realised


def test_cells_that_stand_for_other_things_are_drawn_on_their_own_grids(made: Any) -> None:
    by_name = {each.name: each for each in made}
    tubes = MASKS.get("tubes")().sample(Grid(12, 12, patch=12, frames=4), seed=3)
    assert by_name["tubes"].realised == f"{tubes.counts[0]} of 576 patches, 4 frames"
    spectrum = Grid(144, 144, patch=1, domain="frequency")
    disc = MASKS.get("frequency_disc")().sample(spectrum, seed=3)
    assert by_name["frequency_disc"].realised == f"{disc.counts[0]} of 20736 frequencies"
    assert by_name["painted"].realised == "hides what you give it"


def test_hidden_cells_are_dark_and_visible_ones_untouched() -> None:
    picture = np.full((30, 20, 3), 200, np.uint8)
    hidden = np.array([[True, False], [False, False], [False, True]])
    shown = shaded(picture, hidden)
    assert (shown[:10, 10:] == 200).all() and (shown[10:20] == 200).all()
    assert shown[:10, :10].max() < 80 and shown[20:, 10:].max() < 80


@pytest.mark.usefixtures("offered")
def test_a_strategy_that_refuses_or_breaks_is_a_tile_with_a_sentence() -> None:
    spec = replace(SPEC, seed=4)
    refused, broken = tile("refuses", spec), tile("breaks", spec)
    assert refused.picture is None and "wants a Tuesday" in refused.problem
    assert broken.problem == "breaks cannot be drawn: ZeroDivisionError: oh"
    text = page((refused, tile("random", spec), broken), spec)
    assert "this &lt;strategy&gt; wants a Tuesday" in text and "<strategy>" not in text
    assert contact_sheet((refused, broken)).size[0] > 0


def test_papers_have_addresses() -> None:
    assert paper_link("arXiv:2111.06377") == "https://arxiv.org/abs/2111.06377"
    assert paper_link("doi:10.1109/TPAMI.2012.120") == "https://doi.org/10.1109/TPAMI.2012.120"
    assert paper_link("javascript:alert(1)") == paper_link("") == ""


class Reader(HTMLParser):
    """Collects tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_holds_everything_itself(made: Any) -> None:
    text = page(made, SPEC)
    tags = Reader(text).tags
    articles = [attributes["id"] for tag, attributes in tags if tag == "article"]
    assert articles == MASKS.names()
    sources = [attributes["src"] for _, attributes in tags if "src" in attributes]
    assert len(sources) == len(made)
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not any(tag == "link" for tag, _ in tags)
    assert len(text) < 1_000_000
    assert 'href="https://arxiv.org/abs/2106.08254"' in text


def test_the_command_writes_page_and_sheet(
    tmp_path: Path, workbench_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "gallery"
    assert (
        cli.run(["gallery", "--out", str(out), "--photo", "coffee", "--seed", "3", "--json"]) == 0
    )
    record = json.loads(capsys.readouterr().out)
    assert record["strategies"] == MASKS.names() and record["problems"] == {}
    sheet = Image.open(io.BytesIO((out / "gallery.png").read_bytes()))
    assert sheet.width > 900 and (out / "gallery.png").stat().st_size <= 400_000
    assert "<title>Mask strategies</title>" in (out / "index.html").read_text()


def test_the_command_takes_a_picture_of_the_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own <b>.png"
    Image.fromarray(np.full((90, 150, 3), (200, 20, 20), np.uint8)).save(own)
    monkeypatch.setattr("workbench.scenes.gallery.MASKS.names", lambda: ["random"])
    assert cli.run(["gallery", "--photo", str(own), "--out", str(tmp_path / "g"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["photo"] == str(own)
    text = (tmp_path / "g/index.html").read_text()
    assert "own &lt;b&gt;.png" in text and "photo=upload-" in text
    sheet = np.asarray(Image.open(tmp_path / "g/gallery.png").convert("RGB")).astype(int)
    assert ((sheet[..., 0] > 150) & (sheet[..., 1] < 60)).mean() > 0.01  # the red photo shows


def test_the_command_refuses_an_unknown_photo(
    tmp_path: Path, workbench_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["gallery", "--out", str(tmp_path), "--photo", "nowhere"]) == 2
    assert "'nowhere' is no file and no photo here" in capsys.readouterr().err


def test_the_picture_for_the_readme_is_small() -> None:
    path = ROOT / "assets" / "gallery.png"
    assert path.stat().st_size <= 400_000
    assert Image.open(io.BytesIO(path.read_bytes())).width > 900


def test_the_view_shows_the_registry(workbench_home: Path) -> None:
    view = AppTest.from_file(ROOT / "app" / "dashboard.py", default_timeout=120)
    view.query_params.update(photo="coffee", seed="3")
    view.run()
    view.switch_page("views/gallery.py").run()
    assert not view.exception
    (proto,) = [
        each.proto
        for each in view.get("bidi_component")
        if each.proto.component_name.endswith("_gallery")
    ]
    data = json.loads(proto.json)
    assert [each["name"] for each in data["tiles"]] == MASKS.names()
    assert "photo=coffee" in data["tiles"][0]["href"]
    units = next(each["href"] for each in data["tiles"] if each["name"] == "units")
    assert re.search(r"mask=units%28", units)
