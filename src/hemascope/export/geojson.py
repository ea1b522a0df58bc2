"""``cells.geojson``: every cell as a QuPath object, and one file a field beside it.

A QuPath import goes into one image, so for several fields the folder ``geojson/`` holds a file for each; the whole
``cells.geojson`` names the field of each cell in its metadata.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import IO

from hemascope.core.cell import Nucleus
from hemascope.core.errors import OutputError
from hemascope.core.prediction import GenerativeJudgement
from hemascope.core.report import CellResult, FieldResult, SmearReport
from hemascope.core.taxonomy import DISPLAY_COLORS, DISPLAY_NAMES, CellType, RedCellType
from hemascope.export.columns import clean_text, clump_of, set_text
from hemascope.export.rings import ring_of
from hemascope.export.spool import Spool, writing

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "hemascope:cell")
_HEAD, _TAIL = '{"type":"FeatureCollection","features":[', "\n]}\n"


def field_file_name(field_id: str) -> str:
    """Return a file name for a field: readable, the same each time, unique, and without a path of its own.

    The end of the id with all but letters, digits, ``-`` and ``_`` replaced, and 16 digits of the id's SHA-256.
    """
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", field_id)[-80:].strip("_")
    digest = hashlib.sha256(field_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{readable or 'field'}-{digest}.geojson"


def cell_uuid(field_sha256: str, cell_id: str) -> str:
    """Return the name-based UUID (version 5) of a cell: the same whenever the same file is analyzed again."""
    return str(uuid.uuid5(_NAMESPACE, f"{field_sha256}\n{clean_text(cell_id)}"))


def feature(result: FieldResult, cell: CellResult) -> dict[str, object]:
    """Return one cell as a GeoJSON Feature in QuPath's dialect, as plain JSON types.

    Coordinates are full-resolution pixels of the field, x to the right and y down, as QuPath has them.
    """
    outline = ring_of(cell.cell.outline)
    record: dict[str, object] = {
        "type": "Feature",
        "id": cell_uuid(result.field.sha256, cell.cell.id),
        "geometry": {"type": "Polygon", "coordinates": [outline.coordinates]},
    }
    if cell.cell.nucleus is not None:
        record["nucleusGeometry"] = _nucleus(cell.cell.nucleus)
    group = cell.label or cell.cell.kind.value
    record["properties"] = {
        "objectType": "cell",
        "name": clean_text(cell.cell.id),
        "classification": {"name": _class_name(cell), "color": _rgb(DISPLAY_COLORS[group])},
        "isLocked": False,
        "measurements": _measurements(cell),
        "metadata": _metadata(result, cell, outline.repaired),
    }
    return record


class CellsGeoJsonSink:
    """Writes ``cells.geojson`` and, for more than one field, ``geojson/<field>.geojson`` beside it.

    Parameters
    ----------
    path
        Where the whole file is to stand.
    """

    def __init__(self, path: Path) -> None:
        self._spool = Spool(path)
        self._fields = 0
        self._cells = 0
        self._begun = False

    def add(self, result: FieldResult) -> None:
        """Write the cells of ``result``; raise ``OutputError`` if that fails."""
        lines = [json.dumps(feature(result, cell), separators=(",", ":"), allow_nan=False) for cell in result.cells]
        with writing(self._spool.target):
            whole = self._whole()
            for line in lines:
                whole.write(",\n" if self._cells else "\n")
                whole.write(line)
                self._cells += 1
            parts = self._spool.folder / "geojson"
            parts.mkdir(exist_ok=True)
            text = _HEAD + "\n" + ",\n".join(lines) + _TAIL
            (parts / field_file_name(result.field.id)).write_text(text, encoding="utf-8")
        self._fields += 1

    def finish(self, report: SmearReport) -> Path:
        """Put the files in place and return the whole one's path; raise ``OutputError`` if that fails."""
        try:
            with writing(self._spool.target):
                self._whole().write(_TAIL)
                if self._fields > 1:
                    self._place_parts()
        except BaseException:
            self.abandon()
            raise
        return self._spool.place("cells.geojson")

    def abandon(self) -> None:
        """Remove what was written."""
        self._spool.remove()

    def _whole(self) -> IO[str]:
        """Return the file over all fields, begun."""
        handle = self._spool.text("cells.geojson")
        if not self._begun:
            handle.write(_HEAD)
            self._begun = True
        return handle

    def _place_parts(self) -> None:
        """Move the folder of fields into place, instead of one from an earlier run."""
        folder = self._spool.target.parent / "geojson"
        if folder.exists():
            if any(entry.suffix != ".geojson" for entry in folder.iterdir()):
                raise OutputError(f"cannot replace {folder}: it holds other files too; move them away")
            folder.replace(self._spool.folder / "old")
        (self._spool.folder / "geojson").replace(folder)


def _class_name(cell: CellResult) -> str:
    """Return the type for a reader; a red cell's stands behind its kind, which QuPath takes for a derived class."""
    name = DISPLAY_NAMES[cell.label or cell.cell.kind.value]
    if cell.red_cell is None or cell.red_cell.label is RedCellType.NORMAL:
        return name
    return f"{name}: {DISPLAY_NAMES[cell.red_cell.label]}"


def _nucleus(nucleus: Nucleus) -> dict[str, object]:
    """Return the geometry of a nucleus: one polygon, or one for each lobe."""
    rings = [[ring_of(part).coordinates] for part in nucleus.parts]
    return (
        {"type": "Polygon", "coordinates": rings[0]}
        if len(rings) == 1
        else {"type": "MultiPolygon", "coordinates": rings}
    )


def _measurements(cell: CellResult) -> dict[str, float]:
    """Return every number of a cell that is known and finite, under the names of the cell table."""
    numbers: dict[str, float | None] = {"score": cell.cell.score}
    if cell.prediction is not None:
        numbers |= {"confidence": cell.prediction.confidence, "anomaly": cell.prediction.anomaly}
        chances = zip(CellType, cell.prediction.probabilities.tolist(), strict=True)
        numbers |= {f"p_{cell_type.value}": chance for cell_type, chance in chances}
        numbers |= _generative(cell.prediction.judgement)
    if cell.red_cell is not None:
        numbers |= {"red_cell_confidence": cell.red_cell.confidence}
        shapes = zip(RedCellType, cell.red_cell.probabilities.tolist(), strict=True)
        numbers |= {f"p_red_cell_{red_cell_type.value}": chance for red_cell_type, chance in shapes}
    numbers |= asdict(cell.morphometry)
    return {name: round(float(v), 6) for name, v in numbers.items() if v is not None and math.isfinite(v)}


def _generative(judgement: GenerativeJudgement | None) -> dict[str, float]:
    """Return the numbers that a generative model gives; none where it was not asked."""
    if judgement is None:
        return {}
    names = ("confidence", "zeta", "anomaly", "passes")
    return {f"generative_{name}": getattr(judgement, name) for name in names}


def _metadata(result: FieldResult, cell: CellResult, repaired: str) -> dict[str, str]:
    """Return the facts of a cell that are no numbers; QuPath keeps them as text."""
    judgement = cell.prediction.judgement if cell.prediction else None
    facts = {
        "field": clean_text(result.field.id),
        "field_qc": result.verdict.status.value,
        "kind": cell.cell.kind.value,
        "touches_border": "true" if cell.cell.touches_border else "false",
        "scale_source": result.field.scale.source.value if result.field.scale else "",
        "abstention": cell.prediction.abstention.value if cell.prediction and cell.prediction.abstention else "",
        "prediction_set": set_text(cell.prediction.prediction_set) or "" if cell.prediction else "",
        "generative_type": judgement.cell_type.value if judgement else "",
        "subtype": cell.attributes.subtype.value if cell.attributes and cell.attributes.subtype else "",
        "red_cell_type": cell.red_cell.label.value if cell.red_cell else "",
        "platelet_clump": str(clump_of(result, cell) or ""),
        "outline_repaired": repaired,
    }
    return {name: value for name, value in facts.items() if value}


def _rgb(color: str) -> list[int]:
    """Return ``#rrggbb`` as three numbers from 0 to 255."""
    return list(bytes.fromhex(color.removeprefix("#")))
