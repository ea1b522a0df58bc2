"""Taleqani: 224 x 224 fields of marrow smears, hematogones (benign) or one of three subtypes of B-ALL.

The set names no patients. ``stain_cluster`` is a pseudo-group by color, the only thing that can be held out; it is no
patient, and different patients of one look share a cluster.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hemascope.core.errors import DataSetError
from hemascope.data.folds import Fold
from hemascope.data.records import DataSetCard, FieldRecord
from hemascope.data.tables import Row, read_table

CARD = DataSetCard(
    name="taleqani_all",
    title="Fields of marrow smears: hematogones, or early pre-B, pre-B or pro-B acute lymphoblastic leukemia",
    license="unverified; research use with citation",
    citation=(
        "Ghaderzadeh M, Aria M, Hosseini A, Asadi F, Bashash D, Abolghasemi H. A fast and efficient CNN model for "
        "B-ALL diagnosis and its subtypes classification using peripheral blood smear images. Int J Intell Syst "
        "2022;37:5113-5133, doi:10.1002/int.22753; data doi:10.34740/KAGGLE/DSV/2175623"
    ),
    may_train=False,
    url="https://www.kaggle.com/datasets/mehradaria/leukemia",
)

SUBTYPES = ("Benign", "Early", "Pre", "Pro")
"""Classes as the set names them; all but the first are malignant."""

SCALE_BAR_PX = (54, 24)
"""Width and height of the lower right corner that holds a burnt-in scale bar, whose text differs between groups."""


def read_taleqani(folder: Path) -> tuple[FieldRecord, ...]:
    """Return every field, grouped by stain cluster; ``disease`` is its class.

    Raises
    ------
    DataSetError
        If the table is absent or has a malformed row.
    """
    rows = read_table(folder / "labels.csv", ("path", "label", "split", "malignant", "stain_cluster"))
    return tuple(
        FieldRecord(
            data_set=CARD.name,
            path=row.file(folder),
            name=row.name(),
            split=row.text("split"),
            group=row.text("stain_cluster"),
            boxes=(),
            may_train=CARD.may_train,
            disease=_subtype(row),
        )
        for row in rows
    )


def subtype_number(record: FieldRecord) -> int:
    """Return the place of a record's class in ``SUBTYPES``; 0 is benign."""
    return SUBTYPES.index(record.disease)


def rotate_clusters(records: Sequence[FieldRecord], fold: Fold) -> tuple[FieldRecord, ...]:
    """Return the records with the fold's part as ``test`` and the others as ``train``.

    Within every class, whole clusters are dealt out, the largest first, each to the part with the fewest fields of that
    class so far; clusters of one size come in the order of a digest of their names. So every part holds every class.

    Raises
    ------
    DataSetError
        If a class has fewer clusters than there are folds.
    """
    part_of: dict[str, int] = {}
    for subtype in sorted({record.disease for record in records}):
        sizes = Counter(record.group for record in records if record.disease == subtype)
        if len(sizes) < fold.count:
            raise DataSetError(
                f"class {subtype} has {len(sizes)} stain clusters, too few for {fold.count} folds; ask for fewer"
            )
        filled = [0] * fold.count
        for group in sorted(sizes, key=lambda group: (-sizes[group], hashlib.sha256(group.encode()).hexdigest())):
            part = filled.index(min(filled))
            part_of[group] = part
            filled[part] += sizes[group]
    return tuple(replace(r, split="test" if part_of[r.group] == fold.index - 1 else "train") for r in records)


def _subtype(row: Row) -> str:
    name = row.text("label")
    if name not in SUBTYPES:
        raise row.error(f"column 'label' holds '{name}', not one of {', '.join(SUBTYPES)}")
    if row.flag("malignant") != (name != SUBTYPES[0]):
        raise row.error(f"column 'malignant' contradicts the class '{name}'")
    return name
