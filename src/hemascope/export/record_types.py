"""What the records of ``report.json`` are built from: finite numbers, valid text, no key but those named."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt

from hemascope.export.columns import clean_text


def finite(value: Any) -> Any:
    """Return None for a number that is not finite, at any depth, and valid Unicode for text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {finite(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


Text = Annotated[str, BeforeValidator(finite)]
Number = Annotated[float | None, BeforeValidator(finite)]
Share = Annotated[float, Field(ge=0, le=1)]


class Record(BaseModel):
    """Read from the core's records by attribute; no key but those named."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True, allow_inf_nan=False)


class RateRecord(Record):
    """A count over a denominator with its exact 95% interval."""

    count: NonNegativeInt = Field(description="Numerator as counted.")
    total: NonNegativeInt = Field(description="Denominator as counted.")
    value: float | None = Field(description="The rate in its unit; null where total is 0.")
    low: float | None = Field(description="Lower limit of the exact 95% interval; null where total is 0.")
    high: float | None = Field(description="Upper limit of the exact 95% interval; null where total is 0.")
    unit: Literal["%", "per 100 white cells", "per 1,000 red cells", "per field"] = Field(
        description="Unit of the rate."
    )


class ModelRecord(Record):
    """One model as it answered."""

    name: Text = Field(description="Name in the zoo.")
    version: Text = Field(description="Version of the weights.")
    sha256: Text = Field(description="SHA-256 of the weights file; empty for a method without weights.")
    backend: Text = Field(description="What ran it, with precision.")
    license: Text = Field(description="SPDX identifier of the weights' license.")


class TableRecord(Record):
    """A table of limits that answers rest on."""

    name: Text = Field(description="Its name.")
    version: Text = Field(description="Its version.")
    sha256: Text = Field(description="SHA-256 of its canonical JSON.")
