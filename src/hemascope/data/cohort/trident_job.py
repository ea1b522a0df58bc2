"""Job folders of TRIDENT: features of slides by one encoder or several, and a table of whose slides they are."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.errors import CohortError
from hemascope.data.cohort.layout_folder import LayoutFolder, read_cells, smear_row, without_missing
from hemascope.data.cohort.manifest import SmearRow

_SLIDE_COLUMNS = ("smear", "slide", "slide_id", "filename", "wsi")
_PATIENT_COLUMNS = ("patient", "patient_id", "case_id")
_LONGEST_ENDING = 5


def trident(at: LayoutFolder) -> list[SmearRow]:
    """Return a job of TRIDENT: ``[SCALE/]features_ENCODER/SLIDE.h5``, with a table of patients, slides and labels.

    Features by other encoders than the chosen one become variants. Without a table each slide is a patient.
    """
    encoders = _encoders(at)
    chosen = at.encoder or next(iter(encoders))
    files = {name: {path.stem: path for path in sorted(folder.glob("*.h5"))} for name, folder in encoders.items()}
    told_of = {slide: (slide, {}) for slide in files[chosen]} if at.table is None else _slides(at.table)
    rows = []
    for slide, (patient, told) in told_of.items():
        paths = {name: str(found[slide]) for name, found in files.items() if slide in found}
        main = paths.pop(chosen, "")
        excluded = "" if main else f"no features by {chosen}"
        rows.append(smear_row(patient, {"": main, **paths}, slide, told, excluded=excluded))
    return rows


def _encoders(at: LayoutFolder) -> dict[str, Path]:
    """Return each encoder with its folder; raise ``CohortError`` where it is not clear which is meant."""
    folders = sorted(p for p in (*at.folder.glob("features_*"), *at.folder.glob("*/features_*")) if p.is_dir())
    plain = [folder.name.removeprefix("features_") for folder in folders]
    found = {
        name if plain.count(name) == 1 else f"{folder.parent.name}/{name}": folder
        for name, folder in zip(plain, folders, strict=True)
    }
    if not found:
        raise CohortError(f"{at.folder} holds no folder features_ENCODER; name TRIDENT's job folder")
    if at.encoder not in found and (at.encoder or len(found) > 1):
        wanted = f"no features by '{at.encoder}'" if at.encoder else "features by several encoders"
        raise CohortError(f"{at.folder} holds {wanted}; choose one with --encoder: {', '.join(found)}")
    return found


def _slides(table: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Return each slide of a clinical table, its name without ending, with its patient and what else is told."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for line, cells in read_cells(table):
        slide, patient = _stem(_pop(table, cells, _SLIDE_COLUMNS)), _pop(table, cells, _PATIENT_COLUMNS)
        if not slide or not patient or slide in found:
            wrong = f"slide '{slide}' stands there before" if slide in found else "slide or patient is empty"
            raise CohortError(f"{table}, line {line}: {wrong}; give each slide one row")
        found[slide] = (patient, without_missing(cells))
    return found


def _pop(table: Path, cells: dict[str, str], names: tuple[str, ...]) -> str:
    """Take the first of some columns, whatever its case, out of a row."""
    known = {name.casefold(): name for name in cells}
    for name in names:
        if name in known:
            return cells.pop(known[name])
    raise CohortError(f"{table} has no column {' or '.join(names)}; rename one of its columns")


def _stem(name: str) -> str:
    """Return a name without folders and without what looks like an ending: ``a/S.1.svs`` is ``S.1``."""
    plain = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, _, ending = plain.rpartition(".")
    return stem if stem and ending.isalnum() and len(ending) <= _LONGEST_ENDING and not ending.isdigit() else plain
