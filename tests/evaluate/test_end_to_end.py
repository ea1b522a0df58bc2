"""Typed labels against analyses made by hand."""

import pytest
from labeled_fields import WHITE, analysis, field, square

from hemascope.core.taxonomy import CellKind, CellType
from hemascope.evaluate.end_to_end import (
    MISSED,
    TypedAnswer,
    answer_labels,
    pooled_shares,
    score_answers,
    typed_boxes,
    typed_labels,
)

LYMPHOCYTE, MONOCYTE, NEUTROPHIL = CellType.LYMPHOCYTE, CellType.MONOCYTE, CellType.NEUTROPHIL


def test_one_cell_of_one_type_is_a_typed_label() -> None:
    (label,) = typed_labels(field([square(0, 0)], types=(MONOCYTE,)))
    assert (label.box, label.cell_type) == (square(0, 0), MONOCYTE)


@pytest.mark.parametrize(("cells", "types"), [(2, (MONOCYTE,)), (1, (MONOCYTE, NEUTROPHIL)), (1, ()), (0, (MONOCYTE,))])
def test_anything_else_is_not(cells: int, types: tuple[CellType, ...]) -> None:
    assert typed_labels(field([square(20 * i, 0) for i in range(cells)], types=types)) == ()


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ((square(1, 0), WHITE, MONOCYTE), "monocyte"),
        ((square(1, 0), WHITE, LYMPHOCYTE), "lymphocyte"),
        ((square(1, 0), WHITE, None), "unidentified"),
        ((square(1, 0), WHITE, CellType.PLATELET), "unidentified"),
        ((square(30, 0), WHITE, MONOCYTE), MISSED),
        ((square(1, 0), CellKind.RED_CELL, None), MISSED),
    ],
)
def test_what_is_told_of_a_labeled_cell(cell: tuple, told: str) -> None:
    record = field([square(0, 0)], types=(MONOCYTE,))
    answers = answer_labels(record, typed_boxes(analysis(record.name, [cell])))
    assert answers == (TypedAnswer(record.name, MONOCYTE, told),)


def answers() -> list[TypedAnswer]:
    rows = [(MONOCYTE, "monocyte"), (MONOCYTE, "unidentified"), (NEUTROPHIL, "neutrophil"), (NEUTROPHIL, "neutrophil")]
    rows += [(NEUTROPHIL, MISSED), (NEUTROPHIL, "monocyte")]
    return [TypedAnswer(f"images/{n}.png", true, told) for n, (true, told) in enumerate(rows)]


def test_scores_by_hand() -> None:
    scores = score_answers(answers())
    differential = {name: estimate.value for name, estimate in scores["differential"].items()}
    assert differential == pytest.approx(
        {
            "labeled": 6,
            "accuracy": 3 / 6,
            "accuracy_decided": 3 / 4,
            "balanced_accuracy": (1 / 2 + 2 / 4) / 2,
            "missed": 1 / 6,
            "unidentified": 1 / 6,
        }
    )
    assert scores["monocyte"]["recall"].value == 1 / 2
    assert scores["neutrophil"]["recall"].value == 2 / 4
    assert scores["basophil"]["recall"].value is None


def test_no_answers_have_no_scores() -> None:
    assert score_answers([])["differential"]["accuracy"].value is None


def test_pooled_shares_count_every_cell_found_in_the_same_fields() -> None:
    told = [TypedAnswer("a", MONOCYTE, "monocyte"), TypedAnswer("b", NEUTROPHIL, MISSED)]
    cells = [(square(0, 0), WHITE, MONOCYTE), (square(20, 0), WHITE, MONOCYTE), (square(40, 0), WHITE, None)]
    found = {
        "a": typed_boxes(analysis("a", cells)),
        "b": typed_boxes(analysis("b", [(square(0, 0), WHITE, NEUTROPHIL)])),
        "elsewhere": typed_boxes(analysis("elsewhere", cells)),
    }
    shares = pooled_shares(told, found)
    assert shares["monocyte"]["found_share"].value == pytest.approx(2 / 4)
    assert shares["unidentified"]["found_share"].value == pytest.approx(1 / 4)
    assert shares["monocyte"]["labeled_share"].value == pytest.approx(1 / 2)
    assert "labeled_share" not in shares["unidentified"]
