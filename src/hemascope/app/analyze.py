"""The use case `analyze`: sources to a folder of artefacts, whole or not there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hemascope.app.analyzer import Analyzer
from hemascope.app.answer_patient import PatientAnswering, PatientCells
from hemascope.app.closest_cells import ClosestCells, Explaining
from hemascope.app.judge_cells import Judging
from hemascope.app.statements import morphology_statements, statements
from hemascope.core.errors import NoImagesError, OutputError
from hemascope.core.morphology import GradingIdentity
from hemascope.core.ports import ResultSink
from hemascope.core.provenance import Provenance, TableIdentity
from hemascope.core.report import FailedInput, FieldResult, FieldSummary, SmearReport
from hemascope.core.smear import QcStatus
from hemascope.recipes import Grading, Prior
from hemascope.reporting.differential import compute_differential, summarize
from hemascope.reporting.generative import compute_generative, generative_statements
from hemascope.reporting.morphology import UNGRADED, compute_red_cells
from hemascope.reporting.patient import patient_statements
from hemascope.reporting.platelets import compute_platelets
from hemascope.reporting.subtypes import compute_subtypes, subtype_statements
from hemascope.sources.discover import Source

ARTEFACTS = (
    "report.html",
    "report.json",
    "cells.csv",
    "cells.parquet",
    "cells.h5ad",
    "cells.geojson",
    "geojson",
)
"""Everything an analysis may write; what an earlier one left and this one does not write is removed."""

MakeSinks = Callable[[Path], Sequence[ResultSink]]
"""A folder to the sinks that write into it."""

OnResult = Callable[[FieldResult | FailedInput], None]
"""Called after every source."""


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """What to analyze, and what to say of it.

    Attributes
    ----------
    sources
        The files, in order.
    out
        Folder for the artefacts; made if missing.
    prior
        The class prior in force.
    provenance
        What makes the result.
    remarks
        What else a reader must know, in sentences.
    grading
        The table that red cells are graded by.
    red_cell_count
        Of this blood in 10^12/L, as the user states it; None where it is not known.
    specimen
        ``blood`` or ``marrow``.
    explaining
        Which cells are explained, and by what; None for none.
    patient
        What answers about the patient whose smears these are; None for nothing.
    """

    sources: Sequence[Source]
    out: Path
    prior: Prior
    provenance: Provenance
    remarks: tuple[str, ...] = ()
    grading: Grading = field(default=UNGRADED, kw_only=True)
    red_cell_count: float | None = field(default=None, kw_only=True)
    specimen: str = field(default="blood", kw_only=True)
    explaining: Explaining | None = field(default=None, kw_only=True)
    patient: PatientAnswering | None = field(default=None, kw_only=True)


def analyze(request: AnalysisRequest, analyzer: Analyzer, make_sinks: MakeSinks, on_result: OnResult) -> SmearReport:
    """Analyze every source and write the artefacts.

    They are written in a hidden folder beside their place and moved there together at the end: an interrupted run
    leaves what was there before.

    Raises
    ------
    NoImagesError
        If not one source could be read.
    OutputError
        If the folder cannot be written.
    """
    with _staging(request.out) as staging:
        sinks = make_sinks(staging)
        closest = request.explaining.closest() if request.explaining else None
        patient = request.patient.gather(staging) if request.patient else None
        try:
            watched = _watched(analyzer.results(request.sources), closest, patient)
            summaries, failed = _collect(watched, sinks, on_result)
            if not summaries:
                raise NoImagesError(_nothing_read(failed))
            report = _report(request, summaries, failed, analyzer.generative)
            if request.explaining and closest:
                report = replace(report, explanations=tuple(request.explaining.explainer.explain(closest.cells())))
            if patient:
                report = _with_patient(report, patient)
            for sink in sinks:
                sink.finish(report)
        except OutputError as error:
            _abandon(sinks)
            # The user knows the place asked for, not the hidden folder in it.
            raise OutputError(str(error).replace(str(staging), str(request.out))) from error
        except BaseException:
            _abandon(sinks)
            raise
        _move_into_place(staging, request.out)
    return report


def _abandon(sinks: Sequence[ResultSink]) -> None:
    for sink in sinks:
        sink.abandon()


def _watched(
    results: Iterator[FieldResult | FailedInput], *watchers: ClosestCells | PatientCells | None
) -> Iterator[FieldResult | FailedInput]:
    """Yield the results, each shown to what keeps cells of it."""
    for result in results:
        if isinstance(result, FieldResult):
            for watcher in watchers:
                if watcher is not None:
                    watcher.add(result)
        yield result


def _with_patient(report: SmearReport, patient: PatientCells) -> SmearReport:
    """Return the report with what is said of the patient, and what must be known of that."""
    found = patient.findings()
    patient.close()
    provenance = report.provenance
    if found.taxonomy is not None:
        provenance = replace(provenance, tables=(*provenance.tables, found.taxonomy))
    statements = (*report.statements, *patient_statements(found))
    return replace(report, patient=found, statements=statements, provenance=provenance)


def _collect(
    results: Iterator[FieldResult | FailedInput], sinks: Sequence[ResultSink], on_result: OnResult
) -> tuple[list[FieldSummary], list[FailedInput]]:
    summaries: list[FieldSummary] = []
    failed: list[FailedInput] = []
    for result in results:
        if isinstance(result, FailedInput):
            failed.append(result)
        else:
            for sink in sinks:
                sink.add(result)
            summaries.append(summarize(result))
        on_result(result)
    return summaries, failed


def _report(
    request: AnalysisRequest, summaries: Sequence[FieldSummary], failed: Sequence[FailedInput], judging: Judging | None
) -> SmearReport:
    excluded = tuple(s.id for s in summaries if s.verdict.status is QcStatus.FAIL)
    shares = {cell_type.value: share for cell_type, share in request.prior.shares.items()}
    red_cells = compute_red_cells(summaries, request.grading)
    platelets = compute_platelets(summaries, request.grading, request.red_cell_count)
    subtypes = compute_subtypes(summaries)
    limits = statements(summaries, failed, excluded, request.prior, request.specimen)
    generative = compute_generative(summaries, judging.use, judging.abstains) if judging else None
    told = (*subtype_statements(subtypes), *generative_statements(generative))
    said = (*limits, *morphology_statements(red_cells, platelets), *told)
    return SmearReport(
        title=_title(request.sources),
        fields=tuple(summaries),
        failed=tuple(failed),
        differential=compute_differential(summaries, request.prior.name, shares),
        excluded_fields=excluded,
        statements=(*said, *request.remarks),
        provenance=replace(request.provenance, tables=_tables(red_cells.grading)),
        red_cells=red_cells,
        platelets=platelets,
        subtypes=subtypes,
        generative=generative,
    )


def _tables(grading: GradingIdentity | None) -> tuple[TableIdentity, ...]:
    return () if grading is None else (TableIdentity(grading.name, grading.version, grading.sha256),)


def _title(sources: Sequence[Source]) -> str:
    folders = {"/".join(source.path.parent.absolute().parts[-2:]) for source in sources}
    if len(sources) == 1:
        return sources[0].path.name
    return f"{len(sources)} fields of {', '.join(sorted(folders)[:3])}{' and others' if len(folders) > 3 else ''}"


def _nothing_read(failed: Sequence[FailedInput]) -> str:
    first = failed[0] if failed else None
    reason = f"; the first: {first.message}" if first else ""
    return f"none of the {len(failed)} files could be read{reason}"


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Give a hidden folder inside ``out`` that is gone afterwards; so is ``out``, if it was made and stayed empty."""
    made = not out.exists()
    _refuse_foreign_folders(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".hemascope-", dir=out))
    except OSError as error:
        raise OutputError.at(out, error) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if made and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _refuse_foreign_folders(out: Path) -> None:
    """Refuse an ``out`` in which a name of ours is a folder that holds what we did not write."""
    for name in ARTEFACTS:
        folder = out / name
        if folder.is_dir() and any(path.suffix != ".geojson" for path in folder.iterdir()):
            raise OutputError(
                f"{folder} holds files that are not ours; move it away, or choose another place with --out"
            )


def _move_into_place(staging: Path, out: Path) -> None:
    try:
        for name in ARTEFACTS:
            new, old = staging / name, out / name
            if old.is_dir():
                shutil.rmtree(old)
            if new.exists():
                new.replace(old)
            elif old.exists():
                old.unlink()
    except OSError as error:
        raise OutputError.at(out, error) from error
