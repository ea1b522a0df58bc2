"""What is said of the red cells and platelets of a smear: shares, sizes, grades, clumps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hemascope.core.geometry import Polygon
from hemascope.core.rates import Estimate, Rate
from hemascope.core.taxonomy import DISPLAY_NAMES, RedCellType

BIN_UM = 0.1
"""Width of a bin of diameters in um."""

BINS = 160
"""Bins of diameters from 0 on; the last one also holds everything larger."""


class Grade(StrEnum):
    """How many cells show a finding, in the words of ICSH 2015; ``below`` is what no grade is given for."""

    BELOW = "below"
    FEW = "1+"
    MODERATE = "2+"
    MANY = "3+"


class SizeFinding(StrEnum):
    """Findings on red cells besides their twelve types."""

    ANISOCYTOSIS = "anisocytosis"
    MICROCYTOSIS = "microcytosis"
    MACROCYTOSIS = "macrocytosis"
    POIKILOCYTOSIS = "poikilocytosis"


SHAPE_TYPES: tuple[RedCellType, ...] = (
    RedCellType.SPHEROCYTE,
    RedCellType.TARGET_CELL,
    RedCellType.STOMATOCYTE,
    RedCellType.OVALOCYTE,
    RedCellType.TEARDROP_CELL,
    RedCellType.BURR_CELL,
    RedCellType.SCHISTOCYTE,
    RedCellType.ELLIPTOCYTE,
)
"""Types of an abnormal shape: together they are the poikilocytes. Size and hemoglobin content are no shape."""

SIZE_TYPES: tuple[RedCellType, ...] = (RedCellType.MACROCYTE, RedCellType.MICROCYTE)
"""Types that size defines: no grade without an absolute scale."""

FINDINGS: tuple[str, ...] = (
    *(finding.value for finding in SizeFinding),
    *(t.value for t in RedCellType if t is not RedCellType.NORMAL),
)
"""Everything that can be graded, in order."""

FINDING_NAMES: dict[str, str] = {
    SizeFinding.ANISOCYTOSIS: "Anisocytosis",
    SizeFinding.MICROCYTOSIS: "Microcytosis",
    SizeFinding.MACROCYTOSIS: "Macrocytosis",
    SizeFinding.POIKILOCYTOSIS: "Poikilocytosis",
    **{t.value: DISPLAY_NAMES[t] for t in RedCellType},
    RedCellType.MICROCYTE: "Microcyte, by appearance",
    RedCellType.MACROCYTE: "Macrocyte, by appearance",
}
"""Names for readers."""

LOINC: dict[str, str] = {
    SizeFinding.ANISOCYTOSIS: "702-1",
    SizeFinding.MICROCYTOSIS: "741-9",
    SizeFinding.MACROCYTOSIS: "738-5",
    SizeFinding.POIKILOCYTOSIS: "779-9",
    RedCellType.SPHEROCYTE: "802-9",
    RedCellType.TARGET_CELL: "10381-2",
    RedCellType.STOMATOCYTE: "10380-4",
    RedCellType.OVALOCYTE: "774-0",
    RedCellType.TEARDROP_CELL: "7791-7",
    RedCellType.BURR_CELL: "7790-9",
    RedCellType.SCHISTOCYTE: "800-3",
    RedCellType.HYPOCHROMIC: "728-6",
    RedCellType.ELLIPTOCYTE: "11274-8",
}
"""LOINC codes of findings. Microcytes and macrocytes by appearance have none: the code goes to the measured finding, so
that one code never carries two answers."""

PLATELET_LOINC: dict[str, str] = {"clumps": "7796-6", "giant": "5908-9"}
"""LOINC codes of findings on platelets."""


@dataclass(frozen=True, slots=True)
class Diameters:
    """Equal-area diameters of whole cells, 2 sqrt(area / pi), as sums and as a histogram: bounded, whatever the number.

    Attributes
    ----------
    cells
        How many were measured.
    total, squares, fourths
        Sums of d, d^2 and d^4, with d in um at the field's scale.
    bins
        ``BINS`` counts of ``BIN_UM`` each; empty where nothing was measured.
    """

    cells: int = 0
    total: float = 0.0
    squares: float = 0.0
    fourths: float = 0.0
    bins: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RedCellCounts:
    """The red cells of one field, or of several taken together.

    Attributes
    ----------
    judged
        Red cells that a type was given.
    labels
        ``RedCellType`` value to number of cells of that most likely type; every type present.
    expected
        ``RedCellType`` value to the sum of its calibrated probabilities; adds up to ``judged``.
    diameters
        Of whole red cells, typed or not.
    """

    judged: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    diameters: Diameters = Diameters()


@dataclass(frozen=True, slots=True)
class PlateletClump:
    """Platelets that lie together.

    Attributes
    ----------
    cell_ids
        Its platelets, in order of the field.
    outline
        Convex hull around them, in pixels of the field.
    """

    cell_ids: tuple[str, ...]
    outline: Polygon


@dataclass(frozen=True, slots=True)
class PlateletCounts:
    """The platelets of one field.

    Attributes
    ----------
    clumps, clumped, largest
        Number of clumps, of platelets in them, and of platelets in the largest.
    diameters
        Of whole platelets.
    """

    clumps: int = 0
    clumped: int = 0
    largest: int = 0
    diameters: Diameters = Diameters()


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding on red cells.

    Attributes
    ----------
    rate
        Cells that show it, of those judged for it, in percent with the exact interval.
    expected
        The same percentage from the sum of probabilities; None where the finding is measured and not typed.
    grade
        From the grading table; None where it is withheld.
    grade_range
        Grades at the lower and the upper limit of the interval; None where limits are missing or a grade would say
        what the scale cannot.
    reason
        Why the grade is withheld, or what to bear in mind, in words; "" for neither.
    loinc
        Code of the finding, "" where it has none.
    """

    rate: Rate
    expected: float | None
    grade: Grade | None
    grade_range: tuple[Grade, Grade] | None
    reason: str
    loinc: str


@dataclass(frozen=True, slots=True)
class SizeSpread:
    """How large whole red cells are, and how much they differ.

    Attributes
    ----------
    cells
        Whole red cells measured.
    absolute
        Whether ``mean_um`` and ``median_um`` may be read as um; else they follow from the assumption behind the scale.
    mean_um, median_um
        Of the diameter; None where nothing was measured.
    diameter_cv, area_cv
        Standard deviation over mean, in percent; None for fewer than two cells.
    bins
        The pooled histogram, see ``Diameters``.
    """

    cells: int
    absolute: bool
    mean_um: float | None
    median_um: float | None
    diameter_cv: Estimate | None
    area_cv: Estimate | None
    bins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SchistocyteRule:
    """The share of schistocytes against the limit of ICSH.

    Attributes
    ----------
    limit_percent
        Above it schistocytes count as increased.
    exceeded
        Whether the share is above it; None where too few cells were judged to tell.
    certain
        Whether the whole interval lies on that side.
    sentence
        The same for a reader.
    """

    limit_percent: float
    exceeded: bool | None
    certain: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class GradingIdentity:
    """The grading table in force.

    Attributes
    ----------
    name, version, source
        As the table states them.
    sha256
        Digest of its canonical JSON.
    rows, verified
        Number of its rows, and of those marked as verified.
    """

    name: str
    version: str
    source: str
    sha256: str
    rows: int
    verified: int


@dataclass(frozen=True, slots=True)
class RedCellMorphology:
    """Red cells over all fields that did not fail quality control.

    Attributes
    ----------
    fields, found
        Fields counted, and red cells found in them.
    judged
        Those that a type was given.
    types
        ``RedCellType`` value to its finding; ``normal`` has no grade.
    findings
        ``SizeFinding`` value to its finding.
    size
        Diameters.
    schistocytes
        Their share against the limit of ICSH.
    least_cells
        Fewest red cells for a grade.
    anisocytosis_percent
        How far from the median a diameter counts for anisocytosis.
    size_limits_um
        Diameters below the first are those of microcytes, above the second those of macrocytes.
    grading
        The table that grades came from; None for no grades.
    """

    fields: int
    found: int
    judged: int
    types: dict[str, Finding]
    findings: dict[str, Finding]
    size: SizeSpread
    schistocytes: SchistocyteRule
    least_cells: int
    anisocytosis_percent: float
    size_limits_um: tuple[float, float]
    grading: GradingIdentity | None


@dataclass(frozen=True, slots=True)
class PlateletFindings:
    """Platelets over all fields that did not fail quality control.

    Attributes
    ----------
    found
        Platelets, clumped ones included.
    clumps, clumped, largest
        Clumps, platelets in them, and platelets in the largest.
    clump_fields
        Ids of the fields with a clump.
    giant
        Giant platelets of all whole ones, in percent; None without an absolute scale.
    giant_reason
        Why ``giant`` is None; "" where it is not.
    by_red_cells
        Estimate from the ratio to red cells and a stated red cell count; None where none was stated.
    by_area
        Rough estimate from platelets per standard field; None without an absolute scale or a table.
    reasons
        What the estimates rest on or lack, in sentences.
    """

    found: int
    clumps: int
    clumped: int
    largest: int
    clump_fields: tuple[str, ...]
    giant: Rate | None
    giant_reason: str
    by_red_cells: Estimate | None
    by_area: Estimate | None
    reasons: tuple[str, ...]
