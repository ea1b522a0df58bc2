"""What an analysis needs to answer for a patient: the model, its encoder, and what its table of diseases says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.settings import Settings, read_settings
from hemascope.wiring.encoders import shared_encoders
from hemascope.wiring.patient_encoders import find_encoder
from hemascope.wiring.patients import build_bag_model

if TYPE_CHECKING:
    from hemascope.app.answer_patient import PatientAnswering
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.bags.model_spec import TaxonomyFacts
    from hemascope.reporting.patient import AskedDiseases


def build_patient_answering(
    folder: Path,
    encoder: str | None = None,
    *,
    shared: SharedEncoders | None = None,
    settings: Settings | None = None,
) -> PatientAnswering:
    """Return what answers for a patient. Research use only.

    Parameters
    ----------
    folder
        A model of patients, as ``hemascope train bags`` writes it.
    encoder
        Name or folder of the encoder that its cells are embedded by; found by its digest where None.
    shared
        What other parts of the same analysis ask too; None for an encoder of its own.
    settings
        Where pulled encoders lie, and threads; from the environment where None.

    Raises
    ------
    CohortError
        If the encoder is not the model's, or not on this machine.
    RecipeError
        If there is no encoder of that name.
    WeightsError
        If model or encoder are missing or damaged.
    """
    from hemascope.app.answer_patient import PatientAnswering
    from hemascope.app.target_cells import DEFAULT_UM

    settings = settings or read_settings()
    model = build_bag_model(folder, settings=settings)
    name = encoder or find_encoder(model.encoder, settings, model.spec.encoder_name)
    embeds = (shared or shared_encoders(settings)).named(name)
    facts = model.spec.taxonomy
    return PatientAnswering(model, embeds, embeds.spec.crop_um or DEFAULT_UM, _diseases(facts) if facts else None)


def _diseases(facts: TaxonomyFacts) -> AskedDiseases:
    """Return what a model's card says of its table."""
    from hemascope.core.provenance import TableIdentity
    from hemascope.reporting.patient import AskedDiseases

    identity = TableIdentity(facts.name, facts.version, facts.sha256)
    return AskedDiseases(identity, facts.task, facts.malignant, facts.titles, facts.threshold)
