"""The part of ``report.json`` that holds red cells and platelets, as pydantic models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from hemascope.core.morphology import Grade
from hemascope.export.record_types import Number, RateRecord, Record, Text


class DiametersRecord(Record):
    """Equal-area diameters of whole cells, as sums; um at the field's scale."""

    cells: NonNegativeInt = Field(description="How many were measured.")
    total: float = Field(ge=0, description="Sum of the diameters.")
    squares: float = Field(ge=0, description="Sum of their squares.")
    fourths: float = Field(ge=0, description="Sum of their fourth powers.")


class RedCellCountsRecord(Record):
    """The red cells of one field."""

    judged: NonNegativeInt = Field(description="Red cells that a type was given.")
    labels: dict[Text, NonNegativeInt] = Field(description="Type to number of cells of that most likely type.")
    expected: dict[Text, Number] = Field(description="Type to the sum of its calibrated probabilities.")
    diameters: DiametersRecord = Field(description="Of whole red cells, typed or not.")


class PlateletCountsRecord(Record):
    """The platelets of one field."""

    clumps: NonNegativeInt = Field(description="Number of clumps.")
    clumped: NonNegativeInt = Field(description="Platelets in them.")
    largest: NonNegativeInt = Field(description="Platelets in the largest.")
    diameters: DiametersRecord = Field(description="Of whole platelets.")


class EstimateRecord(Record):
    """A measured value with its 95% interval."""

    value: Number = Field(description="In its unit.")
    low: Number = Field(description="Lower limit; null where too little is known for an interval.")
    high: Number = Field(description="Upper limit; null where too little is known for an interval.")
    unit: Literal["%", "um", "10^9/L"] = Field(description="Unit of the value.")
    method: Text = Field(description="How value and interval were found.")


class FindingRecord(Record):
    """One finding on red cells."""

    rate: RateRecord = Field(description="Cells that show it, of those judged for it, in percent.")
    expected: Number = Field(description="The same from the sum of probabilities; null where it is measured.")
    grade: Grade | None = Field(description="From the grading table; null where it is withheld.")
    grade_range: tuple[Grade, Grade] | None = Field(description="Grades at the limits of the interval, or null.")
    reason: Text = Field(description="Why there is no grade, or what to bear in mind; empty for neither.")
    loinc: Text = Field(description="LOINC code of the finding; empty where it has none.")


class SizeSpreadRecord(Record):
    """How large whole red cells are, and how much they differ."""

    cells: NonNegativeInt = Field(description="Whole red cells measured.")
    absolute: bool = Field(description="Whether um may be read as um; else they follow from an estimated scale.")
    mean_um: Number = Field(description="Mean diameter; null where nothing was measured.")
    median_um: Number = Field(description="Median diameter; null where nothing was measured.")
    diameter_cv: EstimateRecord | None = Field(description="Standard deviation over mean of the diameter; not the RDW.")
    area_cv: EstimateRecord | None = Field(description="Standard deviation over mean of the area; not the RDW.")
    bins: tuple[NonNegativeInt, ...] = Field(
        description="Cells by diameter in steps of 0.1 um from 0 on, the last open; empty where nothing was measured."
    )


class SchistocyteRecord(Record):
    """The share of schistocytes against the limit of ICSH."""

    limit_percent: float = Field(description="Above it schistocytes count as increased.")
    exceeded: bool | None = Field(description="Whether the share is above; null where too few cells were judged.")
    certain: bool = Field(description="Whether the whole interval lies on that side.")
    sentence: Text = Field(description="The same for a reader.")


class GradingRecord(Record):
    """The grading table in force."""

    name: Text = Field(description="Its name.")
    version: Text = Field(description="Its version.")
    source: Text = Field(description="Where its numbers come from.")
    sha256: Text = Field(description="SHA-256 of its canonical JSON.")
    rows: NonNegativeInt = Field(description="Findings with grades.")
    verified: NonNegativeInt = Field(description="Of those, marked as checked against their source.")


class RedCellRecord(Record):
    """Findings on red cells over all fields that did not fail quality control."""

    fields: NonNegativeInt = Field(description="Fields counted.")
    found: NonNegativeInt = Field(description="Red cells found in them.")
    judged: NonNegativeInt = Field(description="Those that a type was given.")
    types: dict[Text, FindingRecord] = Field(description="Type to its finding; normal has no grade.")
    findings: dict[Text, FindingRecord] = Field(
        description="Anisocytosis, microcytosis and macrocytosis as measured, and poikilocytosis."
    )
    size: SizeSpreadRecord = Field(description="Diameters.")
    schistocytes: SchistocyteRecord = Field(description="Schistocytes against their limit.")
    least_cells: PositiveInt = Field(description="Fewest red cells for a grade.")
    anisocytosis_percent: float = Field(description="How far from the median a diameter counts for anisocytosis.")
    size_limits_um: tuple[float, float] = Field(
        description="Microcytes lie below the first, macrocytes above the second."
    )
    grading: GradingRecord | None = Field(description="The table that grades came from; null for none.")


class PlateletRecord(Record):
    """Findings on platelets over all fields that did not fail quality control."""

    found: NonNegativeInt = Field(description="Platelets, clumped ones included.")
    clumps: NonNegativeInt = Field(description="Clumps.")
    clumped: NonNegativeInt = Field(description="Platelets in them.")
    largest: NonNegativeInt = Field(description="Platelets in the largest.")
    clump_fields: tuple[Text, ...] = Field(description="Ids of the fields with a clump.")
    giant: RateRecord | None = Field(description="Giant of whole platelets, in percent; null without absolute scale.")
    giant_reason: Text = Field(description="Why giant is null; empty where it is not.")
    by_red_cells: EstimateRecord | None = Field(description="From the ratio to red cells and their stated count.")
    by_area: EstimateRecord | None = Field(description="Rough estimate by area; null without an absolute scale.")
    reasons: tuple[Text, ...] = Field(description="What the estimates rest on or lack.")
