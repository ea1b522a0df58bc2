"""A table of diseases as a file: classes, what belongs to them, and what a laboratory calls them."""

from __future__ import annotations

from pydantic import Field, model_validator

from hemascope.core.disease_taxonomy import CoarseClass, DiseaseTaxonomy, FineClass, Origin
from hemascope.recipes import Recipe


class CoarseRow(Recipe):
    """One coarse class; see ``hemascope.core.disease_taxonomy.CoarseClass``.

    Attributes
    ----------
    name, title, malignant, acute, named
        As there.
    """

    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    malignant: bool
    acute: bool = False
    named: Origin = Origin.OURS


class FineRow(Recipe):
    """One fine class; see ``hemascope.core.disease_taxonomy.FineClass``.

    Attributes
    ----------
    name, coarse, named, grouped
        As there.
    """

    name: str = Field(min_length=1)
    coarse: str
    named: Origin = Origin.OURS
    grouped: Origin = Origin.OURS


class TaxonomyTable(Recipe):
    """A table of diseases; see ``hemascope.core.disease_taxonomy.DiseaseTaxonomy``.

    Attributes
    ----------
    name, version, source
        As there.
    coarse, fine
        Classes, in the order of a model's outputs.
    labels
        What a laboratory writes, to the name of a fine or of a coarse class.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    source: str
    coarse: tuple[CoarseRow, ...] = Field(min_length=2)
    fine: tuple[FineRow, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _holds_together(self) -> TaxonomyTable:
        self.taxonomy()
        return self

    def taxonomy(self) -> DiseaseTaxonomy:
        """Return the table as the rest of the package reads it."""
        coarse = tuple(CoarseClass(r.name, r.title, r.malignant, r.acute, r.named) for r in self.coarse)
        fine = tuple(FineClass(r.name, r.coarse, r.named, r.grouped) for r in self.fine)
        return DiseaseTaxonomy(self.name, self.version, self.source, coarse, fine, self.labels)
