"""The analysis' step with a model of patients: nucleated cells of all fields as one bag, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.app.judge_cells import CELLS_AT_ONCE, cut_crops
from hemascope.app.picture_file import PictureFile
from hemascope.core.bag import Bag
from hemascope.core.embedding import encoder_digest, short_digest
from hemascope.core.errors import CohortError
from hemascope.core.patient_findings import PatientFindings
from hemascope.core.ports import BagModel, Encoder
from hemascope.core.provenance import ModelIdentity
from hemascope.core.report import FieldResult
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import CellKind
from hemascope.reporting.patient import AskedDiseases, AskedModel, BagCell, abstain_patient, compute_patient
from hemascope.reporting.pictures import crop_cell

PATIENT = "patient of this run"
"""Name of the one bag: a run has no other name for whom its smears are of."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientAnswering:
    """What answers about the patient, and what makes its cells.

    Attributes
    ----------
    model
        Answers for a bag.
    encoder
        Embeds its cells.
    crop_um
        Width of the crops in um.
    diseases
        As in ``AskedModel``.

    Raises
    ------
    CohortError
        If the model was made for embeddings of another encoder: before hours of work, not after.
    ValueError
        As ``AskedModel`` raises it.
    """

    model: BagModel
    encoder: Encoder
    crop_um: float
    diseases: AskedDiseases | None = None

    def __post_init__(self) -> None:
        made = encoder_digest(self.encoder.identity, self.encoder.spec)
        if self.model.encoder != made:
            raise CohortError(
                f"the model of patients {self.model.identity.name} takes embeddings of the encoder "
                f"{short_digest(self.model.encoder)}, but {self.encoder.identity.name} is {short_digest(made)}; name "
                "the encoder that its cohort was embedded with, or train it again with this one"
            )
        _ = self.asked  # refuses a table that does not fit

    @property
    def models(self) -> tuple[ModelIdentity, ModelIdentity]:
        """What answers, and what embeds."""
        return self.model.identity, self.encoder.identity

    @property
    def asked(self) -> AskedModel:
        """What is known of the model."""
        return AskedModel(*self.models, self.model.tasks, self.diseases)

    def gather(self, folder: Path) -> PatientCells:
        """Return what keeps the cells of a run, empty; pictures wait in a file in ``folder``."""
        return PatientCells(self, folder)


class PatientCells:
    """Embeds the nucleated cells of each field that did not fail quality control, and keeps what is needed of them.

    Memory holds their embeddings, 4 bytes a number; pictures are in a file.

    Parameters
    ----------
    answering
        What answers in the end.
    folder
        For the file.
    """

    def __init__(self, answering: PatientAnswering, folder: Path) -> None:
        self._answering = answering
        self._pictures = PictureFile(folder / ".patient-cells")
        self._cells: list[BagCell] = []
        self._values: list[NDArray[np.float32]] = []

    def add(self, result: FieldResult) -> None:
        """Take the cells of one field.

        Raises
        ------
        OutputError
            If their pictures cannot be kept.
        """
        if result.verdict.status is QcStatus.FAIL:
            return
        size = self._answering.encoder.spec.crop_px, self._answering.crop_um
        found = [(place, c) for place, c in enumerate(result.cells) if c.cell.kind is CellKind.WHITE_CELL]
        for start in range(0, len(found), CELLS_AT_ONCE):
            some = found[start : start + CELLS_AT_ONCE]
            crops = cut_crops(result.field, [cell.cell for _, cell in some], size)
            self._values.append(self._answering.encoder.encode(crops))
        for place, cell in found:
            self._cells.append(BagCell(cell.cell.id, result.field.id, place, cell.label or ""))
            self._pictures.add(crop_cell(result.field, cell.cell.outline))

    def findings(self) -> PatientFindings:
        """Return what the model says of all cells together; without a cell, why it was not asked."""
        asked = self._answering.asked
        if not self._cells:
            return abstain_patient(asked, "no nucleated cell was found in a field that did not fail quality control")
        ids = tuple(cell.cell_id for cell in self._cells)
        bag = Bag(PATIENT, ids, np.concatenate(self._values), self._answering.model.encoder)
        return compute_patient(asked, self._cells, self._answering.model.predict(bag), self._pictures.read)

    def close(self) -> None:
        """Remove the file; safe to call at any time."""
        self._pictures.close()
