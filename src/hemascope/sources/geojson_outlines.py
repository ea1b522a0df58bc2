"""GeoJSON as QuPath writes it, and as `hemascope analyze` does.

Coordinates are full-resolution pixels, x to the right and y down, the origin at the top-left corner of the image, as
everywhere here. Read are a FeatureCollection, a bare list of features, and a single feature; the type of an object
under ``objectType``, under ``object_type`` (QuPath 0.3) or as the feature's id (``PathCellObject``, QuPath 0.2).
"""

from __future__ import annotations

from typing import Any

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.core.taxonomy import CellKind
from hemascope.sources.json_values import mapping, number, numbers, text
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_gathering import Gathering, Ring

_NOT_CELLS = frozenset({"tile", "tma_core", "tmacore", "root"})
_KINDS = frozenset(kind.value for kind in CellKind)


def looks_like_geojson(document: Any) -> bool:
    """Return whether ``document``, parsed JSON, is GeoJSON."""
    first = document[0] if isinstance(document, list) and document else document
    return document == [] or text(mapping(first).get("type")) in ("FeatureCollection", "Feature")


def read_geojson(document: Any, classes: ClassTable) -> list[FieldOutlines]:
    """Return the outlines of every field that ``document``, parsed JSON, names; one of name "" where it names none.

    A field is named by our own exports only (``properties.metadata.field``). Of a polygon the outer ring is taken, of
    several polygons the largest; every polygon of a nucleus is one of its lobes.

    Raises
    ------
    OutlineError
        If a feature is malformed or its class is not known. The message is a clause without the file's name.
    """
    features = _features(document)
    plain_cells = any(_object_type(feature) in ("cell", "detection") for feature in features)
    fields: dict[str, Gathering] = {}
    for index, feature in enumerate(features):
        properties = mapping(feature.get("properties"))
        name = text(mapping(properties.get("metadata")).get("field"))
        gathering = fields.setdefault(name, Gathering(classes))
        _add(gathering, feature, properties, f"feature {index + 1}", plain_cells=plain_cells)
    return [gathering.finish(name) for name, gathering in (fields or {"": Gathering(classes)}).items()]


def _features(document: Any) -> list[dict[str, Any]]:
    found = document
    if isinstance(document, dict):
        found = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(found, list):
        raise OutlineError("is a FeatureCollection without a list of features; export it again")
    for index, feature in enumerate(found):
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise OutlineError(f"has something at place {index + 1} that is no GeoJSON Feature; export it again")
    return found


def _add(
    gathering: Gathering, feature: dict[str, Any], properties: dict[str, Any], where: str, *, plain_cells: bool
) -> None:
    kind = _object_type(feature)
    class_name = _class_name(properties.get("classification"))
    if kind in _NOT_CELLS:
        gathering.note(f"objects of the type {kind}, left out")
        return
    if kind == "annotation" and not class_name and plain_cells:
        gathering.note("annotations without a class beside cells (regions), left out")
        return
    geometry = feature.get("geometry")
    if mapping(geometry).get("type") not in ("Polygon", "MultiPolygon"):
        gathering.note(f"objects that are no polygon ({text(mapping(geometry).get('type')) or 'none'}), left out")
        return
    stated = text(mapping(properties.get("metadata")).get("kind"))
    gathering.add(
        _rings(gathering, geometry, where),
        class_name,
        nucleus=_rings(gathering, feature.get("nucleusGeometry"), f"the nucleus of {where}"),
        score=_measurement(properties.get("measurements"), "score"),
        kind=CellKind(stated) if stated in _KINDS else None,
    )


def _object_type(feature: dict[str, Any]) -> str:
    """Return the type of an object in the words of today: ``cell``, ``detection``, ``annotation``; "" if unknown."""
    properties = mapping(feature.get("properties"))
    named = text(properties.get("objectType")) or text(properties.get("object_type"))
    if not named and text(feature.get("id")).startswith("Path"):
        named = text(feature.get("id"))
    return named.lower().removeprefix("path").removesuffix("object")


def _class_name(classification: Any) -> str:
    """Return a class given as text, by ``name``, or by ``names`` (a derived class: joined by ``: ``)."""
    if isinstance(classification, dict):
        names = classification.get("names")
        if isinstance(names, list):
            return ": ".join(text(name) for name in names)
        classification = classification.get("name")
    return text(classification)


def _measurement(measurements: Any, name: str) -> float | None:
    """Return a measurement from a table, or from a list of names and values as older files have it."""
    if isinstance(measurements, list):
        measurements = {text(mapping(m).get("name")): mapping(m).get("value") for m in measurements}
    return number(mapping(measurements).get(name))


def _rings(gathering: Gathering, geometry: Any, where: str) -> list[Ring]:
    """Return the outer rings of a geometry, without the repeated last vertex; holes are counted and left out."""
    if geometry is None:
        return []
    coordinates = mapping(geometry).get("coordinates")
    polygons = [coordinates] if mapping(geometry).get("type") == "Polygon" else coordinates
    if not isinstance(polygons, list) or not all(isinstance(polygon, list) for polygon in polygons):
        raise OutlineError(f"has coordinates that are no lists of numbers in {where}; export it again")
    rings: list[Ring] = []
    for polygon in polygons:
        if polygon:
            rings.append(_ring(polygon[0], where))
            gathering.note("holes filled", len(polygon) - 1)
    return rings


def _ring(positions: Any, where: str) -> Ring:
    points = numbers(positions, where)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] < 2:
        raise OutlineError(f"has coordinates that are no pairs of x and y in {where}; export it again")
    closed = len(points) > 1 and bool((points[0, :2] == points[-1, :2]).all())
    return points[:-1, :2] if closed else points[:, :2]
