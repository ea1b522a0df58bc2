"""Cells explained by a denoiser with known answers, from crops to the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explained_cells import DARKER, LIGHTER, SIDE, TYPES, WIDTH, CenterDenoiser, GreenClassifier
from numpy.typing import NDArray
from painted_results import field_result, report_of
from PIL import Image

from hemascope import wiring
from hemascope.app.analyze import AnalysisRequest, analyze
from hemascope.app.closest_cells import ClosestCells, Explaining, Question
from hemascope.app.explain_cells import (
    AskedCell,
    Explainer,
    ExplanationPlan,
    cell_regions,
    changed_pixels,
)
from hemascope.app.explain_images import ExplainRequest, explain_images
from hemascope.app.provenance import gather_provenance
from hemascope.core.cell import CellCrop
from hemascope.core.errors import InputError, NoImagesError, OutputError, RecipeError
from hemascope.core.explanation import Counterfactual
from hemascope.core.report import CellResult, FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import NUCLEATED_TYPES, CellKind, CellType
from hemascope.core.units import Microns
from hemascope.explain.paired_noise import PairedNoise
from hemascope.explain.regions import density_change, measure_regions
from hemascope.recipes import AnalysisRecipe, override
from hemascope.reporting import counterfactuals
from hemascope.reporting.html import HtmlReportSink
from hemascope.sources.discover import discover
from hemascope.synth.write import write_smear

PLAN = ExplanationPlan(pairs=16, check_pairs=4, passes=6, reach=0.6, guidance=1.0)


@pytest.fixture
def explainer() -> Explainer:
    return Explainer(CenterDenoiser(), GreenClassifier(), PLAN)


def crop(side: int, width: float, gray: int = 120) -> CellCrop:
    pixels: NDArray[np.uint8] = np.full((side, side, 3), 240, np.uint8)
    inner = slice(side * 3 // 8, side * 5 // 8)
    pixels[inner, inner] = gray
    return CellCrop("f#1", pixels, Microns(width))


def asked(*targets: CellType, current: CellType = DARKER, gray: int = 120) -> AskedCell:
    nucleus = np.zeros((SIDE, SIDE), np.bool_)
    nucleus[6:10, 6:10] = True
    body = np.zeros_like(nucleus)
    body[3:13, 3:13] = True
    regions = {"nucleus": nucleus, "cytoplasm": body & ~nucleus, "surroundings": ~body}
    return AskedCell(current, targets, crop(SIDE, WIDTH, gray), crop(32, 2 * WIDTH, gray), regions)


def explained(explainer: Explainer, *targets: CellType, **cell: CellType | int) -> list[Counterfactual]:
    return list(explainer.explain([asked(*targets, **cell)]))  # type: ignore[arg-type]


def test_the_marked_pixels_are_those_in_which_the_types_differ(explainer: Explainer) -> None:
    [found] = explained(explainer, LIGHTER)
    assert (found.marked == asked().regions["nucleus"]).all()
    assert found.change[found.marked][:, :2].min() > 0.1
    assert np.abs(found.change[..., 2]).max() < 1e-5
    nucleus, cytoplasm, surroundings = found.regions
    assert (nucleus.region, nucleus.darker, nucleus.lighter) == ("nucleus", 0.0, 1.0)
    assert nucleus.transmittance == pytest.approx(found.change.mean(axis=2)[found.marked].mean())
    assert nucleus.density < 0
    assert [cytoplasm.lighter, surroundings.darker] == [0, 0]
    assert found.marked_share == pytest.approx(16 / SIDE**2)


def test_the_way_back_is_darker(explainer: Explainer) -> None:
    [found] = explained(explainer, DARKER, current=LIGHTER)
    assert found.regions[0].darker == 1
    assert found.regions[0].density > 0


def test_the_edited_cell_is_taken_for_the_type_asked_about(explainer: Explainer) -> None:
    [found] = explained(explainer, LIGHTER, gray=100)
    assert found.edited[7, 7, 1] > found.crop[7, 7, 1] + 30
    assert (found.edited[:3] == found.crop[:3]).all()
    assert found.check.before[0] > 0.8
    assert found.check.after[1] > 0.6
    assert found.check.answer is LIGHTER
    assert found.check.leaning_before < found.check.leaning_after


def test_the_same_question_has_the_same_answer(explainer: Explainer) -> None:
    first, second = explained(explainer, LIGHTER), explained(explainer, LIGHTER)
    assert (first[0].change == second[0].change).all()
    assert (first[0].edited == second[0].edited).all()


def test_the_passes_are_those_that_were_spent() -> None:
    class Counting(CenterDenoiser):
        spent = 0

        def predict_noise(self, noised, steps, classes):  # type: ignore[no-untyped-def]
            Counting.spent += len(noised)
            return super().predict_noise(noised, steps, classes)

    for guidance in (1.0, 2.0):
        Counting.spent = 0
        [found] = explained(Explainer(Counting(), GreenClassifier(), replace(PLAN, guidance=guidance)), LIGHTER)
        assert found.method.passes == Counting.spent


def test_a_type_that_the_denoiser_does_not_know_is_an_error(explainer: Explainer) -> None:
    class Few(CenterDenoiser):
        classes = ("lymphocyte",)

    few = Explainer(Few(), GreenClassifier(), PLAN)
    with pytest.raises(RecipeError, match="center knows no monocyte; ask about one of lymphocyte"):
        list(few.explain([asked(LIGHTER)]))
    with pytest.raises(RecipeError, match="knows no monocyte"):
        Explaining(few, 3, Question((LIGHTER,)))


def test_optical_density_is_that_of_the_light() -> None:
    light, change = np.full((2, 2, 3), 0.5), np.full((2, 2, 3), -0.25)
    assert density_change(light, change) == pytest.approx(np.log10(2))
    assert density_change(light, np.full((2, 2, 3), 0.5)) == pytest.approx(np.log10(0.5))


def test_shares_are_of_each_part() -> None:
    half = np.zeros((4, 4), np.bool_)
    half[:2] = True
    marked = np.zeros((4, 4), np.bool_)
    marked[0], marked[3, 0] = True, True
    change = np.full((4, 4, 3), 0.1)
    change[0, :2] = -0.3
    light, edit = np.full((4, 4, 3), 0.5), np.full((4, 4, 3), [0.5, 0.0, -0.25])
    regions = {"cell": half, "surroundings": ~half, "none": half & ~half}
    upper, lower = measure_regions(regions, marked, light, change, edit)
    assert (upper.darker, upper.lighter, upper.area_share) == (0.25, 0.25, 0.5)
    assert upper.transmittance == pytest.approx(-0.1)
    assert (lower.darker, lower.lighter) == (0, 0.125)
    assert lower.density == pytest.approx(np.log10(0.5 / 0.6))
    assert upper.edited_transmittance == (0.5, 0.0, -0.25)
    assert upper.edited_density == pytest.approx(0)  # twice the light in red, half of it in blue


def test_parts_of_a_cell_in_its_crop_have_their_areas() -> None:
    result = field_result(3, white=4)
    for cell in (c.cell for c in result.cells if c.cell.kind is CellKind.WHITE_CELL and not c.cell.touches_border):
        assert cell.nucleus is not None
        parts = cell_regions(cell, 0.15, 64, 24.0)
        pixel = (24.0 / 64) ** 2
        assert sum(part.astype(int) for part in parts.values()).min() == 1  # every pixel is in one part
        assert sum(part.sum() for part in parts.values()) == 64**2
        assert parts["nucleus"].sum() * pixel == pytest.approx(cell.nucleus.area * 0.15**2, rel=0.12)
        assert (parts["nucleus"] | parts["cytoplasm"]).sum() * pixel == pytest.approx(
            cell.outline.area * 0.15**2, rel=0.1
        )
        without = cell_regions(replace(cell, nucleus=None), 0.15, 64, 24.0)
        assert list(without) == ["cell", "surroundings"]


def test_a_change_is_of_the_light_of_the_background() -> None:
    pixels: NDArray[np.uint8] = np.full((8, 8, 3), 200, np.uint8)
    change = np.zeros((8, 8, 3), np.float32)
    change[0, 0], change[1, 1] = -0.5, 1
    changed = changed_pixels(pixels, change)
    assert changed[0, 0].tolist() == [100, 100, 100]
    assert changed[1, 1].tolist() == [255, 255, 255]
    assert (changed[2:] == 200).all()


def sure(cell: CellResult, gap: float) -> CellResult:
    """The same cell, its two best types (the first two nucleated ones) ``gap`` apart."""
    assert cell.prediction is not None
    probabilities = np.zeros(len(TYPES))
    probabilities[TYPES.index(NUCLEATED_TYPES[0])] = 0.5 + gap / 2
    probabilities[TYPES.index(NUCLEATED_TYPES[1])] = 0.5 - gap / 2
    return replace(cell, prediction=replace(cell.prediction, probabilities=probabilities))


def with_gaps(result: FieldResult, gaps: list[float]) -> FieldResult:
    white = [c for c in result.cells if c.cell.kind is CellKind.WHITE_CELL]
    inside = [replace(c, cell=replace(c.cell, touches_border=False)) for c in white]
    return replace(result, cells=tuple(sure(cell, gap) for cell, gap in zip(inside, gaps, strict=True)))


def keeper(count: int, question: Question | None = None) -> ClosestCells:
    return ClosestCells(count, question or Question(), (16, 24.0), (32, 48.0))


def test_the_closest_cells_are_kept_in_order() -> None:
    kept = keeper(3)
    for seed, gaps in enumerate(([0.9, 0.2, 0.5], [0.1, 0.8, 0.3])):
        kept.add(with_gaps(field_result(seed, f"{seed}.png"), gaps))
    cells = kept.cells()
    first, second = ([c.cell.id for c in field_result(s, f"{s}.png").cells if c.prediction is not None] for s in (0, 1))
    assert [cell.crop.cell_id for cell in cells] == [second[0], first[1], second[2]]
    assert {cell.current for cell in cells} == {NUCLEATED_TYPES[0]}
    assert {cell.targets for cell in cells} == {(NUCLEATED_TYPES[1],)}
    assert cells[0].crop.pixels.shape == (16, 16, 3)
    assert cells[0].classifier_crop.pixels.shape == (32, 32, 3)


def test_cut_cells_failed_fields_and_platelets_are_left_out() -> None:
    kept = keeper(9)
    good = with_gaps(field_result(0), [0.1, 0.2, 0.3])
    cut, platelet, whole = good.cells
    cut = replace(cut, cell=replace(cut.cell, touches_border=True))
    assert platelet.prediction is not None
    shares = platelet.prediction.probabilities * 0.1
    shares[TYPES.index(CellType.PLATELET)] = 0.9
    platelet = replace(platelet, prediction=replace(platelet.prediction, probabilities=shares))
    kept.add(replace(good, cells=(cut, platelet, whole, replace(whole, prediction=None))))
    kept.add(with_gaps(field_result(1, status=QcStatus.FAIL), [0.1, 0.2, 0.3]))
    assert [cell.crop.cell_id for cell in kept.cells()] == [whole.cell.id]


def test_types_asked_about_besides_come_after_the_second_and_once() -> None:
    first, second, third = NUCLEATED_TYPES[:3]
    result = with_gaps(field_result(0), [0.1, 0.2, 0.3])
    both, named = keeper(1, Question((second, third))), keeper(1, Question((first, third), second=False))
    both.add(result)
    named.add(result)
    assert both.cells()[0].targets == (second, third)
    assert named.cells()[0].targets == (third,)
    own = keeper(1, Question((first,), second=False))
    own.add(result)
    assert own.cells() == []


def test_no_cells_are_kept_where_none_are_wanted() -> None:
    kept = keeper(0)
    kept.add(with_gaps(field_result(0), [0.1, 0.2, 0.3]))
    assert kept.cells() == []


def test_the_page_shows_pictures_sentences_and_limits(tmp_path: Path, explainer: Explainer) -> None:
    result = field_result(5, "a.png")
    found = tuple(explained(explainer, LIGHTER, CellType.NEUTROPHIL, gray=100))
    sink = HtmlReportSink(tmp_path / "report.html")
    sink.add(result)
    page = sink.finish(replace(report_of([result]), explanations=found)).read_text("utf-8")
    assert page.count("<figcaption>what would change") == 2
    assert "Lymphocyte → <span" in page
    assert "Toward monocyte, marked: the nucleus lighter in 100% of its area.</p>" in page
    assert "Edited: the nucleus lets through" in page
    assert "The classifier takes the edited cell for monocyte" in page
    assert "not why the cell is as it is" in page
    assert "center 1 with 32 trials a map" in page
    assert f"{found[0].method.passes:,} passes" in page


def test_without_explanations_the_page_says_nothing_of_them(tmp_path: Path) -> None:
    result = field_result(5, "a.png")
    sink = HtmlReportSink(tmp_path / "report.html")
    sink.add(result)
    assert "would have to change" not in sink.finish(report_of([result])).read_text("utf-8")


def test_sentences_say_what_was_measured_alone(explainer: Explainer) -> None:
    [there] = explained(explainer, LIGHTER, gray=100)
    [none] = explained(explainer, DARKER, current=DARKER)
    assert counterfactuals.mark_sentence(none) == "Toward lymphocyte, hardly anything is marked (0% of the view)."
    assert counterfactuals.edit_sentence(none) == ""
    assert "cytoplasm" not in " ".join(counterfactuals.sentences(there))
    part = replace(there.regions[0], edited_transmittance=(-0.034, 0.012, 0.0), edited_density=-0.001)
    assert counterfactuals.edit_sentence(replace(there, regions=(part,))).startswith(
        "Edited: the nucleus lets through 3 less red, 1 more green points of light (optical density +0.00)."
    )
    denied = replace(there, check=replace(there.check, answer=CellType.BASOPHIL, leaning_after=-0.1))
    assert "does not take the edited cell for monocyte but for basophil" in counterfactuals.check_sentence(denied)
    assert "still explains it better as what it was" in counterfactuals.check_sentence(denied)


def test_the_overlay_is_colored_where_it_is_marked_alone(explainer: Explainer) -> None:
    [lighter] = explained(explainer, LIGHTER)
    [darker] = explained(explainer, DARKER, current=LIGHTER)
    for found, strong in ((lighter, 0), (darker, 2)):
        drawn = counterfactuals.draw_change(found, 64).astype(int)
        colored = np.ptp(drawn, axis=2) > 10
        assert not colored[:20].any()
        assert colored[28:36, 28:36].all()
        assert (drawn[28:36, 28:36].argmax(axis=2) == strong).all()
    assert counterfactuals.draw_panel(lighter, 64).shape == (64, 3 * 64 + 2 * 2, 3)


def request_on(sources: Path, out: Path, single: bool) -> ExplainRequest:
    provenance = gather_provenance(AnalysisRecipe(), [], "hemascope explain")
    return ExplainRequest(discover([sources]), out, single, provenance)


def single_images(folder: Path) -> Path:
    folder.mkdir()
    for name, gray in (("dark", 90), ("light", 180)):
        Image.fromarray(crop(96, 48.0, gray).pixels).save(folder / f"{name}.png")
    return folder


def test_images_of_single_cells_are_explained(tmp_path: Path, explainer: Explainer) -> None:
    folder = single_images(tmp_path / "cells")
    analyzer = replace(wiring.build_analyzer(override(AnalysisRecipe(), segmenter="classical"), mpp=0.5))
    (folder / "broken.png").write_bytes(b"no picture")
    explaining = Explaining(explainer, 9, Question((LIGHTER,), second=False))
    steps: list[str] = []
    done = explain_images(request_on(folder, tmp_path / "out", True), analyzer, explaining, steps.append)
    assert [found.cell_id for found in done.explanations] == ["dark.png"]  # the light one is taken for a monocyte
    assert [Path(failed.path).name for failed in done.failed] == ["broken.png"]
    [picture] = done.pictures
    assert Image.open(picture).size[1] == 2 * counterfactuals.SHOWN_PIXELS
    document = json.loads((tmp_path / "out" / "explanations.json").read_text("utf-8"))
    [record] = document["explanations"]
    assert (record["current"], record["target"], record["picture"]) == ("lymphocyte", "monocyte", picture.name)
    assert record["regions"][0]["region"] == "view"
    with np.load(tmp_path / "out" / record["arrays"]) as arrays:
        assert (arrays["marked"] == done.explanations[0].marked).all()
    assert len(steps) == 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        picture.name, record["arrays"], "explanations.json",
    }  # fmt: skip


def test_what_cannot_be_explained_writes_nothing(tmp_path: Path, explainer: Explainer) -> None:
    folder, out = single_images(tmp_path / "cells"), tmp_path / "out"
    stated = wiring.build_analyzer(override(AnalysisRecipe(), segmenter="classical"), mpp=0.5)
    unstated = replace(stated, scale=None)
    explaining = Explaining(explainer, 9, Question((DARKER, LIGHTER), second=False))
    with pytest.raises(NoImagesError, match="--mpp"):
        explain_images(request_on(folder, out, True), unstated, explaining, lambda note: None)
    none = Explaining(explainer, 9, Question((), second=False))
    with pytest.raises(InputError, match="no cell could be asked about"):
        explain_images(request_on(folder, out, True), stated, none, lambda note: None)
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        explain_images(request_on(folder, out, True), stated, explaining, lambda note: None)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_run_explains_its_closest_cells(tmp_path: Path) -> None:
    images = write_smear(tmp_path / "painted", 2, seed=11) / "images"
    recipe = override(AnalysisRecipe(), explain=2, explain_as=("monocyte",), generative="off")
    analyzer = wiring.build_analyzer(recipe, mpp=0.1)
    explainer = Explainer(CenterDenoiser(), analyzer.classifier, PLAN)
    explaining = Explaining(explainer, 2, Question(recipe.explain_as))
    provenance = gather_provenance(recipe, [*analyzer.models, explainer.denoiser.identity], "hemascope analyze")
    request = AnalysisRequest(
        discover([images]), tmp_path / "out", wiring.load_prior("adult_blood"), provenance, explaining=explaining
    )
    report = analyze(request, analyzer, wiring.build_sinks, lambda result: None)
    assert 1 <= len({found.cell_id for found in report.explanations}) <= 2
    assert all(found.current is not found.target for found in report.explanations)
    document = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert [record["cell_id"] for record in document["explanations"]] == [f.cell_id for f in report.explanations]
    assert document["explanations"][0]["method"]["model"]["name"] == "center"
    assert "What would have to change" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_without_a_denoiser_the_way_to_one_is_named(tmp_path: Path) -> None:
    from hemascope.core.errors import WeightsError
    from hemascope.zoo.shipped import shipped_folder

    recipe = override(AnalysisRecipe(), explain=1, explain_model=str(shipped_folder("finder")))
    with pytest.raises(WeightsError, match="no denoiser; name another model folder"):
        wiring.build_explaining(recipe, GreenClassifier())
    assert wiring.build_explaining(AnalysisRecipe(), GreenClassifier()) is None
    with pytest.raises(RecipeError, match="--explain N"):
        wiring.build_explaining(override(AnalysisRecipe(), explain_as=("monocyte",)), GreenClassifier())


def test_noise_of_the_check_is_not_that_of_the_map(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    import hemascope.app.explain_cells as module

    drawn: list[PairedNoise] = []
    real = module.draw_pairs

    def kept(*arguments: object) -> PairedNoise:
        drawn.append(real(*arguments))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(module, "draw_pairs", kept)
    explained(explainer, LIGHTER)
    first, second = drawn
    assert not np.isin(first.noise, second.noise).any()
