"""The part of ``report.json`` that holds explanations of single cells, as pydantic models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from hemascope.core.explanation import Counterfactual
from hemascope.core.taxonomy import CellType
from hemascope.export.record_types import Record, Share, Text


class RegionChangeRecord(Record):
    """What is marked in one part of a cell."""

    region: Literal["nucleus", "cytoplasm", "cell", "surroundings", "view"] = Field(
        description="The part; cell where no nucleus was found, view where there is no outline."
    )
    area_share: Share = Field(description="Its area over that of the whole view.")
    darker: Share = Field(description="Share of its area marked as darker, by the mean over red, green and blue.")
    lighter: Share = Field(description="Share of its area marked as lighter.")
    transmittance: float = Field(description="Mean change of the light that passes over its marked area.")
    density: float = Field(description="Mean change of the optical density over its marked area.")
    edited_transmittance: tuple[float, float, float] = Field(
        description="Mean change of the red, green and blue light in the edited cell, over the whole part."
    )
    edited_density: float = Field(description="Mean change of the optical density in the edited cell.")


class AnswerCheckRecord(Record):
    """Answers to the cell as it is and as edited."""

    before: tuple[Share, Share] = Field(description="The classifier's probabilities of the current and target type.")
    after: tuple[Share, Share] = Field(description="The same of the edited cell.")
    answer: CellType = Field(description="The classifier's most likely type of the edited cell.")
    leaning_before: float = Field(description="How far the denoiser leans to the target type, above 0 toward it.")
    leaning_after: float = Field(description="The same of the edited cell.")


class ExplainingModelRecord(Record):
    """The denoiser."""

    name: Text = Field(description="Its name.")
    version: Text = Field(description="Its version.")
    sha256: Text = Field(description="SHA-256 of its weights.")


class ExplanationMethodRecord(Record):
    """How maps and edits were made."""

    model: ExplainingModelRecord = Field(description="What made them.")
    pairs: PositiveInt = Field(description="Pairs of trials with opposite noise that both types share.")
    seed: NonNegativeInt = Field(description="Of the noise.")
    least: float = Field(ge=0, description="Change of the light that is too little to be marked.")
    false_discovery_rate: Share = Field(description="Share of the marked pixels that may be marked by chance.")
    reach: Share = Field(description="Part of the noise schedule up to which an edited cell is noised.")
    edit_passes: PositiveInt = Field(description="Steps of an edit each way.")
    guidance: float = Field(description="Factor on the difference of the two types in an edit.")
    passes: PositiveInt = Field(description="Passes of the denoiser for one explanation.")


class ExplanationRecord(Record):
    """What would have to change for one cell to be of one other type, as the model sees it; not a cause."""

    cell_id: Text = Field(description="The cell.")
    current: CellType = Field(description="The type it is taken for.")
    target: CellType = Field(description="The type asked about.")
    marked_share: Share = Field(description="Marked share of the view's area.")
    regions: tuple[RegionChangeRecord, ...] = Field(description="What is marked, part by part.")
    check: AnswerCheckRecord = Field(description="Whether the edited cell is taken for the target type.")
    method: ExplanationMethodRecord = Field(description="How it was made.")


def explanation_record(found: Counterfactual) -> ExplanationRecord:
    """Return an explanation without its pictures as the record that files hold."""
    return ExplanationRecord.model_validate(found, from_attributes=True)
