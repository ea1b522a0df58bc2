"""COCO JSON: polygons, run-length masks and boxes of many images in one file.

Coordinates of polygons and boxes are taken as they stand: full-resolution pixels with the origin at the top-left
corner of the image, as the COCO tools rasterize them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hemascope.core.errors import OutlineError
from hemascope.core.outline import FieldOutlines
from hemascope.sources.coco_masks import decode_mask
from hemascope.sources.json_values import mapping, number, numbers, text, whole
from hemascope.sources.outline_classes import ClassTable
from hemascope.sources.outline_gathering import Gathering, Ring
from hemascope.sources.pixel_regions import outlines_of

_ELLIPSE_VERTICES = 64


def looks_like_coco(document: Any) -> bool:
    """Return whether ``document``, parsed JSON, is a COCO file or a list of COCO results."""
    first = document[0] if isinstance(document, list) and document else {}
    return "image_id" in mapping(first) or {"images", "annotations"} <= set(mapping(document))


def read_coco(document: Any, classes: ClassTable) -> list[FieldOutlines]:
    """Return the outlines of every image that ``document``, parsed JSON, lists; images without any among them.

    A mask is taken with its pixels, of several polygons the largest. Where there is a box only, the ellipse inside it
    stands for the outline: cells are round, and a box is a quarter too large. Crowd regions are left out.

    Raises
    ------
    OutlineError
        If the file or an annotation is malformed, or a class is not known. The message is a clause without the
        file's name.
    """
    if isinstance(document, list):
        raise OutlineError("is a list of COCO results, which names no images; give the whole COCO file")
    names = _by_id(document, "categories", "name")
    images = _by_id(document, "images", "file_name")
    sizes = {whole(i.get("id")): (whole(i.get("width")), whole(i.get("height"))) for i in document["images"]}
    repeated = len(images) - len(set(images.values()))
    if repeated:
        raise OutlineError(f"lists {repeated} image file name(s) more than once; give each image one entry")
    gatherings = {image: Gathering(classes) for image in images}
    for index, annotation in enumerate(_list(document, "annotations")):
        where = f"annotation {index + 1}"
        image = whole(annotation.get("image_id"))
        if image is None or image not in gatherings:
            raise OutlineError(f"has no image of the id {annotation.get('image_id')!r} that {where} names")
        category = whole(annotation.get("category_id"))
        if category is None or category not in names:
            raise OutlineError(f"has no category of the id {annotation.get('category_id')!r} that {where} names")
        _add(gatherings[image], annotation, names[category], where)
    return [gathering.finish(images[i], _size(sizes[i])) for i, gathering in gatherings.items()]


def _size(size: tuple[int | None, int | None]) -> tuple[int, int] | None:
    width, height = size
    return (width, height) if width and height else None


def _list(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise OutlineError(f"has no list of {key}; export it again as COCO JSON")
    return found


def _by_id(document: dict[str, Any], key: str, value: str) -> dict[int, str]:
    """Return the entries of a list by their id, each standing for its text ``value``."""
    found: dict[int, str] = {}
    for index, item in enumerate(_list(document, key)):
        number_, name = whole(item.get("id")), text(item.get(value))
        if number_ is None or not name:
            raise OutlineError(f"lacks the id or the {value} of entry {index + 1} of its {key}; export it again")
        if found.setdefault(number_, name) != name:
            raise OutlineError(f"gives the id {number_} to two entries of its {key}; number them anew")
    return found


def _add(gathering: Gathering, annotation: dict[str, Any], class_name: str, where: str) -> None:
    segmentation = annotation.get("segmentation")
    if annotation.get("iscrowd") and isinstance(segmentation, (dict, list)):
        gathering.note("crowd regions, left out")
        return
    if isinstance(segmentation, dict):
        parts = outlines_of(decode_mask(segmentation, where), gathering)
    elif segmentation:
        parts = [_polygon(flat, where) for flat in _parts(segmentation, where)]
    else:
        parts = [_ellipse(annotation.get("bbox"), where)]
        gathering.note("boxes without an outline, taken as the ellipse inside")
    gathering.add(parts, class_name, score=number(annotation.get("score")))


def _parts(segmentation: Any, where: str) -> list[Any]:
    if not isinstance(segmentation, list):
        raise OutlineError(f"has a segmentation that is neither polygons nor a mask in {where}; export it again")
    flat = bool(segmentation) and not isinstance(segmentation[0], list)
    return [segmentation] if flat else segmentation


def _polygon(flat: Any, where: str) -> Ring:
    values = numbers(flat, where)
    if values.ndim != 1 or len(values) % 2:
        raise OutlineError(f"has a polygon that is no list of x, y, x, y, ... in {where}; export it again")
    return values.reshape(-1, 2)


def _ellipse(box: Any, where: str) -> Ring:
    """Return the ellipse inside ``x, y, width, height``, its vertices moved out so that its area is exact."""
    values = numbers(box if isinstance(box, list) else [], where)
    if values.shape != (4,) or (values[2:] < 0).any():
        raise OutlineError(f"has neither an outline nor a box of x, y, width, height in {where}; export it again")
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_VERTICES, endpoint=False)
    step = 2 * np.pi / _ELLIPSE_VERTICES
    swell = np.sqrt(step / np.sin(step))
    circle = np.stack((np.cos(angle), np.sin(angle)), axis=1) * swell
    ring: Ring = values[:2] + values[2:] / 2 * (1 + circle)
    return ring
