"""Patients with several markers, and unclear patients, counted by hand."""

import numpy as np
import pytest
from patient_cohorts import DISEASE, MARKERS, make_answers

from hemascope.evaluate.patients.borderline import where_they_go
from hemascope.evaluate.patients.several_markers import count_found, several_markers

HALF = dict.fromkeys(MARKERS.outputs, 0.5)


def test_counts_by_hand() -> None:
    told = np.array([[0.9, 0.9, 0.1], [0.9, 0.1, 0.1], [0.1, 0.1, 0.9], [0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1] * 3])
    present = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]], float)
    truth = dict(zip(MARKERS.outputs, present.T, strict=True))
    none, one, several = several_markers(make_answers([MARKERS], {"fish": told}, truth), "fish", HALF)
    assert [row.markers for row in (none, one, several)] == ["0", "1", "2 or more"]
    assert [row.patients for row in (none, one, several)] == [1, 2, 3]
    assert several.one_found.value == pytest.approx(2 / 3)
    assert several.all_found.value == several.exact.value == pytest.approx(1 / 3)
    assert several.none_added.value == pytest.approx(2 / 3)
    assert (one.one_found.value, one.all_found.value, one.none_added.value) == (0.5, 0.5, 0.5)
    assert none.one_found.value is none.all_found.value is None
    assert none.exact.value == 1


def test_the_published_shares() -> None:
    # Of 25 patients with two markers or more, one is found in 22 and all in 16.
    present = np.ones((25, 2), bool)
    told = np.repeat([[True, True], [True, False], [False, False]], [16, 6, 3], axis=0)
    several = count_found(present, told, np.ones(25, bool))[2]
    assert (several.one_found.value, several.all_found.value) == (0.88, 0.64)
    assert several.all_found.low < 0.5 < several.all_found.high


def test_a_marker_that_was_not_tested_counts_neither_way() -> None:
    told = np.array([[0.9, 0.9, 0.9], [0.9, 0.9, 0.9]])
    truth = {"del(17p)": [1, np.nan], "t(4;14)": [np.nan, np.nan], "gain(1q)": [1, np.nan]}
    rows = several_markers(make_answers([MARKERS], {"fish": told}, truth), "fish", HALF)
    assert [row.patients for row in rows] == [0, 0, 1]
    assert rows[2].exact.value == 1
    without = several_markers(make_answers([MARKERS], {"fish": told}, truth), "fish", HALF | {"gain(1q)": None})
    assert [row.patients for row in without] == [0, 1, 0]
    with pytest.raises(ValueError, match=r"no threshold for gain\(1q\)"):
        several_markers(make_answers([MARKERS], {"fish": told}, truth), "fish", {"del(17p)": 0.5, "t(4;14)": 0.5})


@pytest.fixture
def unclear():
    labels = ["MDS-AML borderline"] * 11 + ["MGUS"] * 4 + ["", "AML", "MGUS"]
    told = np.full((18, 3), [0.8, 0.1, 0.1])
    told[:5], told[5:9] = [0.1, 0.3, 0.6], [0.1, 0.6, 0.3]
    told[17] = np.nan
    truth = np.full(18, np.nan)
    truth[16] = 2
    return make_answers([DISEASE], {"disease": told}, {"disease": truth}, labels={"diagnosis": labels})


def test_where_borderline_patients_go(unclear) -> None:
    rows = where_they_go(unclear, "disease", "diagnosis", {"MDS-AML borderline": ("mds", "acute")})
    assert [(row.label, row.patients) for row in rows] == [("MDS-AML borderline", 11), ("MGUS", 4)]
    borderline, other = rows
    assert borderline.told == {"healthy": 2, "mds": 4, "acute": 5}
    assert borderline.among_suspected.value == pytest.approx(9 / 11)
    assert borderline.mean_probability["acute"] == pytest.approx((5 * 0.6 + 4 * 0.3 + 2 * 0.1) / 11)
    assert borderline.surest == pytest.approx(0.6)
    assert sum(borderline.mean_probability.values()) == pytest.approx(1)
    assert other.among_suspected.value is None
    assert other.suspected == ()


def test_what_does_not_fit_is_refused(unclear) -> None:
    with pytest.raises(ValueError, match="cml is no class"):
        where_they_go(unclear, "disease", "diagnosis", {"MGUS": ("cml",)})
    with pytest.raises(ValueError, match="no column of labels note, only diagnosis"):
        where_they_go(unclear, "disease", "note")
