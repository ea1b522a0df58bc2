"""Typed labels against whole analyses: a cell must be found and typed to count as right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hemascope.core.report import FieldResult
from hemascope.core.taxonomy import NUCLEATED_TYPES, UNIDENTIFIED, CellKind, CellType
from hemascope.data.records import FieldRecord, LabeledBox
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.matching import FoundBox, match_boxes

MISSED = "missed"
"""What is told of a labeled cell that was not found."""


@dataclass(frozen=True, slots=True)
class TypedBox:
    """A found white cell with its type, or ``unidentified``."""

    found: FoundBox
    label: str


@dataclass(frozen=True, slots=True)
class TypedAnswer:
    """What was told of one labeled cell.

    Attributes
    ----------
    field
        Name of the field.
    true
        Its labeled type.
    told
        A type, ``unidentified`` or ``missed``.
    """

    field: str
    true: CellType
    told: str


def typed_boxes(result: FieldResult) -> tuple[TypedBox, ...]:
    """Return the white cells found in a field with the type given to each; the pixels are not kept."""
    boxes = []
    for item in result.cells:
        if item.label is not None:
            boxes.append(TypedBox(FoundBox(item.cell.kind, item.cell.outline.bounds, item.cell.score), item.label))
    return tuple(boxes)


def typed_labels(record: FieldRecord) -> tuple[LabeledBox, ...]:
    """Return the white cells of a field whose type is known.

    These are the boxes that carry a type; and, where a set types only whole fields, the only labeled white cell of a
    field for which exactly one type is named.
    """
    white = record.of_kind(CellKind.WHITE_CELL)
    typed = tuple(labeled for labeled in white if labeled.cell_type is not None)
    if not typed and len(white) == 1 and len(record.white_cell_types) == 1:
        return (LabeledBox(CellKind.WHITE_CELL, white[0].box, record.white_cell_types[0]),)
    return typed


def answer_labels(record: FieldRecord, found: Sequence[TypedBox]) -> tuple[TypedAnswer, ...]:
    """Return what was told of every typed label of a field; boxes are matched at IoU 0.5 or more."""
    labels = typed_labels(record)
    boxes = [typed.found for typed in found]
    partner = match_boxes([b.box for b in boxes], [b.score for b in boxes], [labeled.box for labeled in labels])
    told = {index: found[row].label for row, index in enumerate(partner) if index is not None}
    return tuple(
        TypedAnswer(record.name, labeled.cell_type, told.get(index, MISSED))
        for index, labeled in enumerate(labels)
        if labeled.cell_type is not None
    )


def score_answers(answers: Sequence[TypedAnswer]) -> dict[str, dict[str, Estimate]]:
    """Return class or task to metric to value.

    ``differential`` holds ``labeled`` (typed labels), ``accuracy`` (found and typed right, of all labels),
    ``accuracy_decided`` (of those found and given a type), ``missed`` and ``unidentified`` (shares of all labels) and
    ``balanced_accuracy`` (mean recall of the types that occur; no interval). Every type has ``labeled`` and ``recall``
    (found and typed right, of its labels). Intervals are exact.
    """
    told = Counter(answer.told for answer in answers)
    right = Counter(answer.true for answer in answers if answer.told == answer.true.value)
    true = Counter(answer.true for answer in answers)
    total, hits = len(answers), sum(right.values())
    recalls = [right[t] / true[t] for t in NUCLEATED_TYPES if true[t]]
    scores = {
        "differential": {
            "labeled": Estimate(total),
            "accuracy": Estimate.share(hits, total),
            "accuracy_decided": Estimate.share(hits, total - told[MISSED] - told[UNIDENTIFIED]),
            "balanced_accuracy": Estimate(sum(recalls) / len(recalls) if recalls else None),
            "missed": Estimate.share(told[MISSED], total),
            "unidentified": Estimate.share(told[UNIDENTIFIED], total),
        }
    }
    for cell_type in NUCLEATED_TYPES:
        scores[cell_type.value] = {
            "labeled": Estimate(true[cell_type]),
            "recall": Estimate.share(right[cell_type], true[cell_type]),
        }
    return scores


def pooled_shares(
    answers: Iterable[TypedAnswer], found: Mapping[str, Sequence[TypedBox]]
) -> dict[str, dict[str, Estimate]]:
    """Return each type's share of the labeled cells beside its share of all white cells found in the same fields.

    Parameters
    ----------
    answers
        One a typed label.
    found
        Field name to the white cells found in it; only fields that ``answers`` names count.
    """
    answered = list(answers)
    true = Counter(answer.true.value for answer in answered)
    fields = {answer.field for answer in answered}
    told = Counter(typed.label for name in fields for typed in found.get(name, ()))
    shares: dict[str, dict[str, Estimate]] = {}
    for name in (*(t.value for t in NUCLEATED_TYPES), UNIDENTIFIED):
        shares[name] = {"found_share": Estimate.share(told[name], told.total())}
        if name != UNIDENTIFIED:
            shares[name]["labeled_share"] = Estimate.share(true[name], true.total())
    return shares
