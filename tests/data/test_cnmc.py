"""The reader of leukemic and normal single cells."""

from pathlib import Path

import pytest
from folder_sets import write_set

from hemascope.core.errors import DataSetError
from hemascope.data.cnmc import open_cnmc, read_cnmc

LABELS = """path,label,patient_id,split,image_id,cell_id
images/ALL/a.jpg,ALL,CNMC_16,train,11,1
images/normal/b.jpg,normal,CNMC_H10,test,12,1
"""


def test_label_subject_and_split_are_read(tmp_path: Path) -> None:
    records = read_cnmc(write_set(tmp_path / "cnmc", labels=LABELS))
    assert [(r.subject, r.image, r.blast, r.split) for r in records] == [
        ("CNMC_16", "CNMC_16|11", True, "train"),
        ("CNMC_H10", "CNMC_H10|12", False, "test"),
    ]


def test_an_unknown_label_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "cnmc", labels=LABELS.replace(",normal,", ",AML,"))
    with pytest.raises(DataSetError, match=r"line 3: column 'label' holds 'AML', not one of ALL, normal"):
        read_cnmc(folder)


@pytest.mark.parametrize(
    "row", ["images/ALL/c.jpg,ALL,CNMC_16,test,1,1", "images/normal/c.jpg,normal,CNMC_16,train,1,1"]
)
def test_a_subject_in_two_splits_or_with_two_labels_is_refused(tmp_path: Path, row: str) -> None:
    folder = write_set(tmp_path / "cnmc", labels=LABELS + row + "\n")
    with pytest.raises(DataSetError, match="subject 'CNMC_16' has two splits or two labels"):
        read_cnmc(folder)


@pytest.mark.data
def test_the_public_set_has_nine_leukemic_and_two_normal_subjects(public_data: Path) -> None:
    records = open_cnmc(public_data)
    assert len(records) == 2675
    assert len({r.subject for r in records if r.blast}) == 9
    assert len({r.subject for r in records if not r.blast}) == 2
