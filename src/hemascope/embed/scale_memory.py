"""Scales that were estimated before: the same images and finder give the same one, and estimating takes time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from hemascope.core.errors import ScaleError
from hemascope.core.ports import Segmenter
from hemascope.core.smear import Field
from hemascope.core.units import Scale, ScaleSource
from hemascope.embed.store import json_digest, write_whole

EstimateScale = Callable[[Sequence[Field], Segmenter], Scale]
"""Fields taken alike to their scale, by the cells found in them."""


def remember_scales(estimate: EstimateScale, folder: Path, step: str) -> EstimateScale:
    """Return ``estimate`` with a memory on disk.

    Parameters
    ----------
    estimate
        Asked where there is no answer yet, or a damaged one.
    folder
        Takes one small JSON file an answer, named by the digest of the fields' files, the finder and ``step``.
    step
        Digest of whatever else decides an answer, such as the version of the program.
    """

    def remembered(fields: Sequence[Field], segmenter: Segmenter) -> Scale:
        key = json_digest([step, json.dumps(_identity(segmenter)), [field.sha256 for field in fields]])
        path = folder / f"{key}.json"
        known = _read(path, key)
        if known is None:
            known = estimate(fields, segmenter)
            write_whole(path, json.dumps(_record(key, known)).encode())
        return known

    return remembered


def _record(key: str, scale: Scale) -> dict[str, object]:
    """Return what is kept of an answer, with its digest."""
    facts = {"key": key, "mpp_um": scale.mpp, "scale_source": scale.source.value}
    return facts | {"sha256": json_digest(facts)}


def _identity(segmenter: Segmenter) -> list[str]:
    identity = segmenter.identity
    return [identity.name, identity.version, identity.sha256, identity.backend]


def _read(path: Path, key: str) -> Scale | None:
    """Return the scale in a file, or None where there is none or it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        scale = Scale(float(values["mpp_um"]), ScaleSource(values["scale_source"]))
        return scale if values == _record(key, scale) else None
    except (OSError, ValueError, KeyError, TypeError, ScaleError):
        return None
