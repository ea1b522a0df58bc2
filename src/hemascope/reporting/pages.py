"""From a report to what the page's templates read."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from hemascope.core.morphology import FINDING_NAMES
from hemascope.core.patient_findings import PATIENT_USE
from hemascope.core.report import FieldSummary, SmearReport
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import DISPLAY_COLORS, DISPLAY_NAMES, UNIDENTIFIED, CellKind, CellType
from hemascope.reporting import figures
from hemascope.reporting.abnormal_map import MapView
from hemascope.reporting.counterfactuals import LIMITS, explanation_cards, method_sentence
from hemascope.reporting.detail import Detail, preview_at
from hemascope.reporting.galleries import Galleries
from hemascope.reporting.generative import summary_lines
from hemascope.reporting.patient_view import ATTENTION_LIMITS, SPREAD, WHY_CLOSED, view_patient
from hemascope.reporting.pictures import data_uri, decode, encode, shrink
from hemascope.reporting.reading import READING_ORDER, SHORT_NAMES
from hemascope.reporting.red_cell_gallery import RedCellGallery
from hemascope.reporting.red_cell_view import view_red_cells
from hemascope.reporting.sizes import SizeTable
from hemascope.reporting.spool import FieldSpool
from hemascope.reporting.subtypes import SUBTYPE_LIMITS, subtype_rows

if TYPE_CHECKING:
    import jinja2

MAX_FINDINGS = 60
"""Fields with findings that are shown with a thumbnail; the rest carry theirs in the list of fields."""

MAX_FAILED = 300

MAX_CLUMP_FIELDS = 40
"""Fields with clumps of platelets that are named."""

_THUMB = (168, 45)

GALLERY_ORDER = (UNIDENTIFIED, *READING_ORDER[:-1])
"""What needs a reader's eye comes first."""


class Card(NamedTuple):
    """One field on the page; ``preview`` and ``outlines`` are empty where they are left out."""

    number: int
    field: FieldSummary
    preview: str
    outlines: str
    size: tuple[int, int]
    view_box: tuple[int, int]


class Finding(NamedTuple):
    """A field with findings of quality control, and a thumbnail, "" where there is none."""

    number: int
    field: FieldSummary
    thumb: str


class CellPictures(NamedTuple):
    """Nucleated cells by type, red cells by type, the sizes of all, and the map; None where no cell was judged."""

    galleries: Galleries
    red_cells: RedCellGallery
    sizes: SizeTable
    abnormal_map: MapView | None = None


class Page:
    """Renders one report.

    Parameters
    ----------
    report
        The whole answer.
    spool
        Previews and outlines, in the order of ``numbers``.
    numbers
        Field id to its place in the spool.
    pictures
        Cells by type, and their measures.
    """

    def __init__(
        self,
        report: SmearReport,
        spool: FieldSpool,
        numbers: dict[str, int],
        pictures: CellPictures,
    ) -> None:
        self._report = report
        self._spool = spool
        self._numbers = numbers
        self._context = _context(report, pictures) | self._morphology(pictures.red_cells) | self._patient()
        self._context["findings"] = self._findings()

    def render(self, detail: Detail | None) -> Iterator[str]:
        """Yield the page in pieces; without previews and outlines where ``detail`` is None."""
        template = _environment().get_template("report.html.j2")
        statement = detail.statement if detail else ""
        yield from template.generate(**self._context, cards=self._cards(detail), reduced=statement)

    def importance(self, number: int) -> int:
        """Return the rank of a field: 0 with nucleated cells, 1 with findings, 2 else."""
        return self._ranks.get(number, 2)

    @functools.cached_property
    def _ranks(self) -> dict[int, int]:
        """The rank of each field that has one below 2."""
        ranks = {}
        for field in self._report.fields:
            if field.counts.get(CellKind.WHITE_CELL, 0):
                ranks[self._numbers[field.id]] = 0
            elif field.verdict.status is not QcStatus.PASS:
                ranks[self._numbers[field.id]] = 1
        return ranks

    def _cards(self, detail: Detail | None) -> Iterator[Card]:
        """Yield every field, pictures read from the spool one at a time."""
        for field in self._report.fields:
            number = self._numbers[field.id]
            entry = self._spool.entries[number]
            preview = outlines = ""
            if detail is not None and number in detail.shown:
                preview = data_uri(preview_at(self._spool, number, detail.level))
                outlines = self._spool.outlines(number, detail.level.light)
            yield Card(number, field, preview, outlines, entry.size, entry.view_box)

    def _morphology(self, gallery: RedCellGallery) -> dict[str, Any]:
        """Return what the sections on red cells and platelets read."""
        morphology, platelets = self._report.red_cells, self._report.platelets
        context: dict[str, Any] = {"red_view": None, "red_galleries": [], "clump_fields": []}
        if morphology is not None:
            context["red_view"] = view_red_cells(morphology)
            shown = [(key, gallery.of(key)) for key in morphology.types]
            context["red_galleries"] = [
                (FINDING_NAMES[key], morphology.types[key].rate.count, kept) for key, kept in shown if kept
            ]
        if platelets is not None:
            ids = platelets.clump_fields[:MAX_CLUMP_FIELDS]
            context["clump_fields"] = [(self._numbers[field_id], field_id) for field_id in ids]
        return context

    def _patient(self) -> dict[str, Any]:
        """Return what the section on the patient reads; None where no model was asked."""
        found = self._report.patient
        return {
            "patient": view_patient(found, self._numbers) if found else None,
            "patient_use": PATIENT_USE,
            "patient_why_closed": WHY_CLOSED,
            "patient_spread": SPREAD,
            "patient_attention_limits": ATTENTION_LIMITS,
        }

    def _findings(self) -> list[Finding]:
        """Return the first fields with findings, failed ones first."""
        found = [field for field in self._report.fields if field.verdict.status is not QcStatus.PASS]
        found.sort(key=lambda field: field.verdict.status is not QcStatus.FAIL)
        return [self._finding(field) for field in found[:MAX_FINDINGS]]

    def _finding(self, field: FieldSummary) -> Finding:
        """Return one field with its thumbnail."""
        number = self._numbers[field.id]
        side, quality = _THUMB
        return Finding(number, field, data_uri(encode(shrink(decode(self._spool.preview(number)), side), quality)))


def _context(report: SmearReport, pictures: CellPictures) -> dict[str, Any]:
    """Return all that the templates read but the fields themselves."""
    galleries = pictures.galleries
    statuses = Counter(field.verdict.status.value for field in report.fields)
    sources = Counter(field.scale_source for field in report.fields)
    return {
        "report": report,
        "css": _style(),
        "names": DISPLAY_NAMES,
        "order": READING_ORDER,
        "short_names": {name: SHORT_NAMES[name] for name in READING_ORDER},
        "colors": DISPLAY_COLORS,
        "statuses": statuses,
        "findings_total": statuses["warn"] + statuses["fail"],
        "max_failed": MAX_FAILED,
        "sources": sources,
        "span": figures.plot_span(report.differential.types.values()),
        "implications": figures.implications(report.differential.white_cells),
        "galleries": [(label, galleries.of(label), galleries.totals[label]) for label in GALLERY_ORDER],
        "subtype_rows": subtype_rows(report.subtypes),
        "subtype_limits": SUBTYPE_LIMITS,
        "explanations": explanation_cards(report.explanations),
        "explanation_limits": LIMITS,
        "explanation_method": method_sentence(report.explanations),
        "sizes": pictures.sizes,
        "abnormal_map": pictures.abnormal_map,
        "generative_lines": summary_lines(report.generative) if report.generative else (),
        "recipe": json.dumps(report.provenance.recipe, indent=2, sort_keys=True, default=str, ensure_ascii=False),
        "prior_shares": _prior_shares(report.differential.prior_shares),
    }


def _prior_shares(shares: dict[str, float]) -> list[tuple[str, float]]:
    """Return the prior's types for a reader, the greatest share first."""
    order = [cell_type.value for cell_type in CellType]
    return sorted(shares.items(), key=lambda item: (-item[1], order.index(item[0]) if item[0] in order else len(order)))


def _style() -> str:
    """Return the style sheet."""
    return resources.files("hemascope.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the template engine: every value is escaped, an unknown name is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hemascope.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": figures.number, "interval": figures.interval, "data_uri": data_uri}
    environment.globals |= {
        "position": figures.position,
        "plot_width": figures.PLOT_WIDTH,
        "plot_height": figures.PLOT_HEIGHT,
    }
    return environment
