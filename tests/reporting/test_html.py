"""report.html read back by a parser: whole, self-contained, escaped, within its size, and true to the report."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from painted_results import field_result, report_of
from PIL import Image

from hemascope.core.errors import OutputError
from hemascope.core.report import FailedInput, FieldResult, SmearReport
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_NAMES, CellKind
from hemascope.core.units import ScaleSource
from hemascope.reporting import html
from hemascope.reporting.html import HtmlReportSink

VOID = {"meta", "link", "img", "input", "br"}
EVIL = '"><script>alert(1)</script>&.png'


class Page(HTMLParser):
    """Collects what the tests ask for, and checks that every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        return (
            [attrs for t, attrs in self.tags if t == tag and name in (attrs.get("class") or "").split(" ")]
            if name
            else [attrs for t, attrs in self.tags if t == tag]
        )


Render = Callable[..., Page]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    def run(results: list[FieldResult], report: SmearReport | None = None, **options: int) -> Page:
        sink = HtmlReportSink(tmp_path / "report.html", **options)
        for result in results:
            sink.add(result)
        assert sink.finish(report or report_of(results)) == tmp_path / "report.html"
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
        return Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    return run


@pytest.fixture(scope="module")
def three() -> list[FieldResult]:
    return [
        field_result(1, "a.png", white=5),
        field_result(2, EVIL, status=QcStatus.WARN),
        field_result(3, "c.png", status=QcStatus.FAIL),
    ]


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(render: Render, three: list[FieldResult]) -> None:
    page = render(three)
    assert not page.all("script")
    assert not page.all("iframe")
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#"))
    assert "url(" not in (page.rawdata or "")
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_hostile_name_is_text(render: Render, three: list[FieldResult]) -> None:
    report = replace(report_of(three, (FailedInput(EVIL, "E", EVIL),)), title=EVIL, statements=(EVIL,))
    page = render(three, report)
    assert not page.all("script")
    assert page.text.count(EVIL) >= 5


def test_every_field_has_its_picture_and_outlines(render: Render, three: list[FieldResult]) -> None:
    page = render(three)
    cards = page.all("article", "card")
    assert [card["id"] for card in cards] == ["f0", "f1", "f2"]
    pictures = [image["src"] or "" for image in page.all("img") if image.get("width") == "640"]
    assert len(pictures) == 3
    for picture, result in zip(pictures, three, strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).convert("RGB"))
        assert shown.shape == (480, 640, 3)
        assert np.abs(shown.astype(float) - result.field.pixels).mean() < 12
    outlines = page.all("path", "W")
    assert len(outlines) == sum(result.count(CellKind.WHITE_CELL) for result in three)
    reds = page.all("path", "R")
    counted = [(path["d"] or "").count("M") for path in reds]
    assert counted == [result.count(CellKind.RED_CELL) for result in three]


def test_an_outline_lies_where_the_cell_is(render: Render, three: list[FieldResult]) -> None:
    page = render(three[:1])
    first = next(cell.cell for cell in three[0].cells if cell.cell.kind is CellKind.WHITE_CELL)
    index = [cell.cell for cell in three[0].cells].index(first)
    path = next(path for path in page.all("path", "W") if path["id"] == f"c0-{index}")
    points = walk(path["d"] or "")
    low, high = points.min(axis=0) / 2, points.max(axis=0) / 2  # two units a pixel
    box = first.outline.bounds
    assert (*low, *high) == pytest.approx((box.x0, box.y0, box.x1, box.y1), abs=1.2)


def walk(d: str) -> np.ndarray:
    numbers = [int(value) for value in re.findall(r"-?\d+", d)]
    return np.cumsum(np.array(numbers).reshape(-1, 2), axis=0)


def test_every_link_inside_has_its_goal(render: Render, three: list[FieldResult]) -> None:
    page = render(three, report_of(three, (FailedInput("x", "E", "m"),)))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    goals = [link["href"] for link in page.all("a")]
    assert len(goals) > 20
    assert {(goal or "")[1:] for goal in goals} <= set(ids)


def test_galleries_run_from_the_most_uncertain_and_say_what_they_leave_out(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "GALLERY_CAP", 2)
    results = [field_result(n, f"{n}.png", white=12, red=2, size=(320, 240)) for n in range(4)]
    page = render(results)
    everything = [cell for result in results for cell in result.cells if cell.label == "unidentified"]
    assert len(everything) > 2
    expected = sorted(cell.prediction.confidence for cell in everything if cell.prediction)[:2]
    anchors = {
        f"c{n}-{i}": cell for n, result in enumerate(results) for i, cell in enumerate(result.cells) if cell.prediction
    }
    shown = [
        anchors[(link["href"] or "")[1:]]
        for link in page.all("a")
        if (link["href"] or "").startswith("#c") and "-" in (link["href"] or "")
    ]
    first = [cell.prediction.confidence for cell in shown[:2] if cell.prediction]
    assert first == expected
    assert f"showing the 2 most uncertain of {len(everything)}; all are in cells.csv" in page.text


def test_a_gallery_names_the_types_that_cannot_be_excluded(render: Render) -> None:
    result = field_result(1, "a.png", white=12, red=2)
    page = render([result])
    sets = [cell.prediction.prediction_set for cell in result.cells if cell.prediction]
    others = [DISPLAY_NAMES[found.types[1]] for found in sets if found and len(found.types) == 2]
    assert others
    titles = [title for link in page.all("a") if "not excluded" in (title := link.get("title") or "")]
    assert len(titles) == sum(len(found.types) > 1 for found in sets if found)
    assert all(any(title.endswith(f"not excluded: {name}") for title in titles) for name in others)


def test_counts_and_intervals_stand_in_the_page(render: Render, three: list[FieldResult]) -> None:
    report = report_of(three)
    page = render(three, report)
    rate = next(rate for rate in report.differential.types.values() if rate.count)
    assert f"{rate.value:.1f} {rate.low:.1f} to {rate.high:.1f}" in page.text
    assert len(page.all("circle")) == len(report.differential.types)
    for statement in report.statements:
        assert statement in page.text
    assert "1 passed" in page.text
    assert "Focus is 0.31, below 0.5 <b>&</b>." in page.text
    assert report.provenance.recipe_sha256 in page.text
    assert "uniform" in page.text


@pytest.mark.parametrize("source", list(ScaleSource))
def test_absolute_sizes_are_stated_only_at_a_known_scale(render: Render, source: ScaleSource) -> None:
    page = render([field_result(1, scale=source, size=(320, 240))])
    known = source in (ScaleSource.METADATA, ScaleSource.STATED)
    assert ("Area, µm²" in page.text) == known
    assert ("Area, relative" in page.text) == (not known)
    if not known:
        row = re.search(r"Red cell \d+ ([\d.]+)", page.text)
        assert row
        assert row[1] == "1.00"


def test_relative_sizes_without_a_red_cell_are_left_out(render: Render) -> None:
    page = render([field_result(1, scale=ScaleSource.ASSUMED, red=0, platelets=0, white=9)])
    assert "nan" not in page.text.lower().split()
    assert "Area, relative" in page.text


@pytest.fixture(scope="module")
def twelve() -> list[FieldResult]:
    """Twelve small fields; the last three hold a white cell."""
    return [field_result(n, f"{n}.png", white=n // 9, red=5, platelets=1, size=(320, 240)) for n in range(12)]


@pytest.mark.parametrize("room", [110_000, 60_000, 53_000])
def test_a_page_keeps_to_its_size_and_says_what_it_reduced(
    render: Render, tmp_path: Path, twelve: list[FieldResult], room: int
) -> None:
    page = render(twelve, budget_bytes=room)
    assert (tmp_path / "report.html").stat().st_size <= room
    assert "To keep this file openable" in page.text
    assert "shown as dots" in page.text
    assert len(page.all("article", "card")) == 12


def test_fields_with_white_cells_keep_their_preview_longest(render: Render, twelve: list[FieldResult]) -> None:
    page = render(twelve, budget_bytes=50_000)
    assert "fields are listed without a preview" in page.text
    shown = len(page.all("div", "view"))
    assert 0 < shown < 12
    assert len(page.all("path", "W")) == min(shown, 3)


def test_nothing_to_show_is_said(render: Render) -> None:
    page = render([])
    assert "No field was analyzed." in page.text
    assert "No white cell was counted, so there is no differential." in page.text
    page = render([field_result(1, white=0, red=0, platelets=0)])
    assert "No nucleated cell was found." in page.text
    assert "No whole cell was measured." in page.text


@pytest.mark.parametrize("size", [(9, 7), (1400, 40), (40, 1400)])
def test_fields_of_any_shape(render: Render, size: tuple[int, int]) -> None:
    page = render([field_result(1, size=size)])
    assert page.all("div", "view")


def test_an_abandoned_page_leaves_nothing(tmp_path: Path, three: list[FieldResult]) -> None:
    sink = HtmlReportSink(tmp_path / "report.html")
    sink.add(three[0])
    assert list(tmp_path.iterdir()) != []
    sink.abandon()
    sink.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, three: list[FieldResult]) -> None:
    with pytest.raises(OutputError, match=r"absent.report\.html.*--out"):
        HtmlReportSink(tmp_path / "absent" / "report.html").add(three[0])
    (tmp_path / "report.html").mkdir()
    sink = HtmlReportSink(tmp_path / "report.html")
    sink.add(three[0])
    with pytest.raises(OutputError, match=r"report\.html"):
        sink.finish(report_of(three[:1]))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
