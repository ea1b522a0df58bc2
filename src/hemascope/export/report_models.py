"""The layout of ``report.json``, as pydantic models; imported only where it is written or read.

The committed ``docs/report.schema.json`` is generated from these by ``report_schema``; a test compares the two.
A change that a reader of version N cannot read raises ``SCHEMA_VERSION``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, NonNegativeInt, PositiveInt

from hemascope.core.report import SmearReport
from hemascope.core.smear import QcStatus
from hemascope.core.units import ScaleSource
from hemascope.export.explanation_models import ExplanationRecord
from hemascope.export.morphology_models import (
    PlateletCountsRecord,
    PlateletRecord,
    RedCellCountsRecord,
    RedCellRecord,
)
from hemascope.export.patient_models import PatientRecord
from hemascope.export.record_types import ModelRecord, Number, RateRecord, Record, Share, TableRecord, Text, finite

SCHEMA_VERSION: Literal[2] = 2


class QcReasonRecord(Record):
    """One finding of quality control."""

    code: Text = Field(description="Stable snake_case name of the finding.")
    status: Literal[QcStatus.WARN, QcStatus.FAIL] = Field(description="How bad it is.")
    message: Text = Field(description="The finding in words, with the measured value and the threshold.")


class QcVerdictRecord(Record):
    """Quality control of one field."""

    status: QcStatus = Field(description="The worst status among the reasons; a failed field is left out of all rates.")
    reasons: tuple[QcReasonRecord, ...] = Field(description="Findings; empty when the field passes.")
    measures: dict[Text, Number] = Field(description="Measure, with its unit as suffix, to its value.")


class GenerativeCountsRecord(Record):
    """What a generative model says of the nucleated cells of one field."""

    judged: NonNegativeInt = Field(default=0, description="Cells that it was asked of.")
    unlike: NonNegativeInt = Field(default=0, description="Those that are unlike everything it learned.")
    disputed: NonNegativeInt = Field(default=0, description="Those that it takes for another type.")


class GenerativeRecord(Record):
    """What a generative model says of the nucleated cells of all fields that did not fail quality control."""

    judged: PositiveInt = Field(description="Cells that it was asked of.")
    unlike: RateRecord = Field(description="Share of them that is unlike everything it learned.")
    disputed: RateRecord = Field(description="Share of them that it takes for another type than the classifier does.")
    use: Literal["beside", "cascade"] = Field(description="Whether it decides nothing, or is heard in doubt.")
    abstains: bool = Field(description="Whether cells that it doubts were left unidentified.")


class FieldRecord(Record):
    """One field image."""

    id: Text = Field(description="Unique in this report.")
    path: Text = Field(description="File it was read from; empty where there is none.")
    sha256: Text = Field(description="SHA-256 of the file's bytes, hexadecimal.")
    width: PositiveInt = Field(description="Width in pixels.")
    height: PositiveInt = Field(description="Height in pixels.")
    mpp: float = Field(gt=0, description="Micrometers per pixel.")
    scale_source: ScaleSource = Field(description="Where the scale came from; absolute sizes need metadata or stated.")
    verdict: QcVerdictRecord = Field(description="Quality control.")
    counts: dict[Text, NonNegativeInt] = Field(description="Cell kind to number of cells found.")
    types: dict[Text, NonNegativeInt] = Field(description="Type, or unidentified, to number of nucleated cells.")
    notes: tuple[Text, ...] = Field(description="What reading did to the pixels.")
    red_cells: RedCellCountsRecord = Field(description="Red cells by type, and their sizes.")
    platelets: PlateletCountsRecord = Field(description="Clumps of platelets, and their sizes.")
    set_sizes: dict[Text, NonNegativeInt] = Field(
        description="Number of types in a prediction set to number of nucleated cells; empty where there are no sets."
    )
    subtypes: dict[Text, NonNegativeInt] = Field(
        default_factory=dict, description="Subtype to number of cells; empty where none was told."
    )
    generative: GenerativeCountsRecord = Field(
        default_factory=GenerativeCountsRecord, description="What a generative model says; all 0 where none was asked."
    )


class FailedInputRecord(Record):
    """A file that could not be analyzed."""

    path: Text = Field(description="The file.")
    error: Text = Field(description="Name of the error class.")
    message: Text = Field(description="What was wrong and what to do.")


class DifferentialRecord(Record):
    """The white cell differential and the counts beside it, over all fields that did not fail quality control."""

    white_cells: NonNegativeInt = Field(description="Nucleated cells but erythroblasts; unidentified ones included.")
    types: dict[Text, RateRecord] = Field(description="Type, or unidentified, to its share of white_cells in percent.")
    erythroblasts: RateRecord = Field(description="Per 100 white cells.")
    platelets_per_field: RateRecord = Field(description="Platelets per field.")
    red_cells_per_field: RateRecord = Field(description="Red cells per field.")
    platelets_per_1000_red_cells: RateRecord = Field(description="Platelets per 1,000 red cells.")
    prior: Text = Field(description="Name of the class prior in force.")
    prior_shares: dict[Text, Share] = Field(description="Cell type to the share that the prior gives it.")


class ProvenanceRecord(Record):
    """What made this report."""

    software: dict[Text, Text] = Field(description="Package or interpreter to version.")
    models: tuple[ModelRecord, ...] = Field(description="The models that answered.")
    recipe: Annotated[dict[str, JsonValue], BeforeValidator(finite)] = Field(description="The resolved recipe.")
    recipe_sha256: Text = Field(description="SHA-256 of the recipe's canonical JSON.")
    command: Text = Field(description="What was asked, as typed.")
    started: Text = Field(description="ISO 8601 time in UTC.")
    tables: tuple[TableRecord, ...] = Field(description="Tables of limits in force, such as the grading of red cells.")


class ReportRecord(Record):
    """A blood smear report. Research use only: not for diagnosis."""

    kind: Literal["hemascope.report"] = Field(default="hemascope.report", description="What this file is.")
    schema_version: Literal[2] = Field(default=SCHEMA_VERSION, description="Version of this layout.")
    title: Text = Field(description="What was analyzed.")
    fields: tuple[FieldRecord, ...] = Field(description="Every field, in the order read.")
    failed: tuple[FailedInputRecord, ...] = Field(description="Every input that could not be analyzed.")
    differential: DifferentialRecord = Field(description="Counts and rates with intervals.")
    excluded_fields: tuple[Text, ...] = Field(description="Ids of fields left out of the rates (quality: fail).")
    statements: tuple[Text, ...] = Field(description="Limits that a reader must know.")
    provenance: ProvenanceRecord = Field(description="What made it.")
    red_cells: RedCellRecord | None = Field(description="Findings on red cells; null where nothing computed them.")
    platelets: PlateletRecord | None = Field(description="Findings on platelets; null where nothing computed them.")
    subtypes: dict[Text, dict[Text, RateRecord]] = Field(
        default_factory=dict,
        description="Type to its subtypes, each with its share of that type; types without a cell told are left out.",
    )
    generative: GenerativeRecord | None = Field(
        default=None, description="What a generative model says of nucleated cells; null where none was asked."
    )
    explanations: tuple[ExplanationRecord, ...] = Field(
        default=(),
        description="What would have to change for single cells to be of another type; empty for none asked.",
    )
    patient: PatientRecord | None = Field(
        default=None, description="What a model of patients says of all cells together; null where none was given."
    )


def report_record(report: SmearReport) -> ReportRecord:
    """Return ``report`` as the record that ``report.json`` holds."""
    return ReportRecord.model_validate(report, from_attributes=True)


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``report.json``."""
    schema = ReportRecord.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
