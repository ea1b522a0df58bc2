"""Ways to tell blasts of subjects that were left out; what must be chosen is chosen on the training subjects alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.classify.linear_probe import fit_linear_probe
from hemascope.classify.subject_gaussian import SubjectMoments, subject_direction, subject_moments
from hemascope.stats.ranking import auroc

AREA_AND_COLOR = "area_and_color.logistic"
"""The baseline: number of pixels that are not black and their mean color, by logistic regression."""

CLASSES = ("normal", "blast")

COMPONENTS = 32
"""Principal components that the subject Gaussian takes of embeddings."""

SETTINGS = tuple((shrinkage, between) for shrinkage in (0.2, 0.8) for between in (0.0, 1.0, 4.0))
"""Shrinkage and weight of the differences between subjects, of which one is chosen; see ``subject_direction``."""

Blocks = dict[str, NDArray[np.float64]]
"""Name to N x D numbers."""

Told = dict[str, tuple[NDArray[np.float64], str]]
"""Method to the scores of the test cells, and what it chose, or ""."""


def scores_of(
    simple: Blocks,
    embedded: Mapping[str, NDArray[np.float64]],
    subjects: NDArray[np.str_],
    images: NDArray[np.str_],
    blast: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> Told:
    """Return the scores of every method for the cells of ``test``; their labels are not looked at.

    Parameters
    ----------
    simple
        Blocks ``area_and_color`` and ``outline``; the first column of the latter is the log of the area.
    embedded
        Encoder to embeddings.
    subjects, images, blast
        Of all N cells; the labels of test cells are not used.
    test
        N flags.
    """
    told: Told = {
        AREA_AND_COLOR: (_logistic(simple["area_and_color"], subjects, blast, test), ""),
        "area.alone": (simple["outline"][test, 0], ""),
        "outline.subjects": _by_subjects({"outline": simple["outline"]}, subjects, images, blast, test),
    }
    for name, values in embedded.items():
        reduced = components(values, test)
        told[f"{name}.logistic"] = (_logistic(values, subjects, blast, test), "")
        told[f"{name}.subjects"] = _by_subjects({name: reduced}, subjects, images, blast, test)
        area = simple["outline"][:, :1]
        blocks = {
            "area": area,
            f"area+{name}": np.hstack([area, reduced]),
            f"outline+{name}": np.hstack([simple["outline"], reduced]),
        }
        told[f"{name}_or_area.subjects"] = _by_subjects(blocks, subjects, images, blast, test)
    return told


def subject_weights(subjects: NDArray[np.str_], blast: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return weights by which both kinds count alike, and within a kind every subject."""
    weights = np.zeros(len(subjects))
    for kind in (True, False):
        names = np.unique(subjects[blast == kind])
        for name in names:
            rows = subjects == name
            weights[rows] = len(subjects) / 2 / len(names) / rows.sum()
    return weights


def _logistic(
    values: NDArray[np.float64], subjects: NDArray[np.str_], blast: NDArray[np.bool_], test: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return log odds of a linear probe at a fixed C, every subject counted alike."""
    weights = subject_weights(subjects[~test], blast[~test])
    labels = blast[~test].astype(np.intp)
    probe = fit_linear_probe(values[~test], labels, CLASSES, c=0.01, sample_weights=weights, max_iterations=200)
    logits = probe.logits(values[test].astype(np.float32))
    return np.asarray(logits[:, 1] - logits[:, 0], np.float64)


def components(values: NDArray[np.float64], test: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the leading principal components of all cells, scaled and turned by the training cells alone."""
    known = values[~test]
    scale = np.maximum(known.std(axis=0), 1e-9)
    centered = (values - known.mean(axis=0)) / scale
    _, vectors = np.linalg.eigh(centered[~test].T @ centered[~test])
    return np.asarray(centered @ vectors[:, ::-1][:, :COMPONENTS], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Half of the images of a training subject: what the inner splits are made of."""

    subject: str
    blast: bool
    rows: NDArray[np.intp]


def _by_subjects(
    blocks: Mapping[str, NDArray[np.float64]],
    subjects: NDArray[np.str_],
    images: NDArray[np.str_],
    blast: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], str]:
    """Return scores of the subject Gaussian on the block and with the settings that are best in the inner splits."""
    parts = _halves(subjects, images, blast, np.flatnonzero(~test))
    best, chosen = -1.0, next(iter(blocks))
    setting = SETTINGS[0]
    for name, values in blocks.items():
        moments = [subject_moments(values[part.rows], part.blast) for part in parts]
        for candidate in SETTINGS if len(values[0]) > 1 else SETTINGS[:1]:
            area = _inner_area(values, parts, moments, blast, candidate)
            if area > best + 1e-9:
                best, chosen, setting = area, name, candidate
    values = blocks[chosen]
    known = sorted({part.subject for part in parts})
    whole = [subject_moments(values[subjects == name], bool(blast[subjects == name][0])) for name in known]
    return values[test] @ subject_direction(whole, *setting), f"{chosen}, shrinkage {setting[0]}, between {setting[1]}"


def _inner_area(
    values: NDArray[np.float64],
    parts: Sequence[_Part],
    moments: Sequence[SubjectMoments],
    blast: NDArray[np.bool_],
    setting: tuple[float, float],
) -> float:
    """Return the mean area under the curve over inner splits: a leukemic subject against half of a normal one."""
    areas = []
    for out in _inner_splits(parts):
        kept = [moment for place, moment in enumerate(moments) if place not in out]
        weights = subject_direction(kept, *setting)
        rows = np.concatenate([parts[place].rows for place in sorted(out)])
        areas.append(auroc(values[rows] @ weights, blast[rows]))
    return float(np.mean(areas))


def _inner_splits(parts: Sequence[_Part]) -> Iterator[set[int]]:
    """Yield the parts that are left out together: both halves of a leukemic subject, one half of a normal one.

    With a single normal subject to train on, none can be left out whole.
    """
    for subject in sorted({part.subject for part in parts if part.blast}):
        own = {place for place, part in enumerate(parts) if part.subject == subject}
        for place, part in enumerate(parts):
            if not part.blast:
                yield own | {place}


def _halves(
    subjects: NDArray[np.str_], images: NDArray[np.str_], blast: NDArray[np.bool_], known: NDArray[np.intp]
) -> list[_Part]:
    """Return every training subject's cells in two halves by image."""
    parts = []
    for name in np.unique(subjects[known]):
        rows = known[subjects[known] == name]
        _, number = np.unique(images[rows], return_inverse=True)
        for half in (0, 1):
            taken = rows[number % 2 == half]
            if len(taken):
                parts.append(_Part(str(name), bool(blast[rows[0]]), taken))
    return parts
