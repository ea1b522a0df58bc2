"""Public sets of single-cell images in a folder a patient: AML-Hehr, APL-AML, the cAItomorph test set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hemascope.data.cohort.layout_folder import LayoutFolder, read_people, smear_row
from hemascope.data.cohort.manifest import SmearRow

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
"""Endings, in lower case, of images of cells."""

SCEMILA_FEATURES = "fnl34_bn_features_layer_7.npy"
"""What SCEMILA calls the features of a patient: 512 maps a cell by a ResNet34."""

_SPECIMEN = "blood"
_SPLIT_OF_COHORT = {"discovery": "train", "validation": "test"}


def aml_hehr(at: LayoutFolder) -> list[SmearRow]:
    """Return AML-Hehr: ``metadata.csv`` and ``[data/]LABEL/PATIENT/`` with SCEMILA's features or images of cells."""
    table = at.table_or(("metadata.csv", "metadata_with_data_dictionary.csv_metadata.csv"))
    rows = []
    for patient, told in read_people(table, "patient_id").items():
        home = Path(told.get("bag_label", "")) / patient
        rows.append(_row(at.folder, patient, (at.folder / "data" / home, at.folder / home), told))
    return rows


def apl_aml(at: LayoutFolder) -> list[SmearRow]:
    """Return APL-AML: ``master.csv``, ``[All/]Patient_NN/{Signed,Unsigned} slides/[TYPE/]``, a slides folder a smear.

    Its cohort ``Discovery`` becomes the split ``train``, ``Validation`` the split ``test``.
    """
    rows = []
    for patient, told in read_people(at.table_or(("master.csv",)), "Patient_ID").items():
        split = _SPLIT_OF_COHORT.get(told.get("Cohort", "").casefold(), "")
        homes = (at.folder / patient, at.folder / "All" / patient)
        slides = sorted(path for home in homes for path in home.glob("*[Ss]lides") if _holds_images(path))
        rows += [_row(at.folder, patient, (folder,), told, split) for folder in slides or homes[:1]]
    return rows


def caitomorph(at: LayoutFolder) -> list[SmearRow]:
    """Return the cAItomorph test set: ``metadata.csv`` and ``[patients/]PATIENT/`` with images of cells, as assumed."""
    people = read_people(at.table_or(("metadata.csv",)), "patient_id")
    homes = {patient: (at.folder / "patients" / patient, at.folder / patient) for patient in people}
    return [_row(at.folder, patient, homes[patient], told, "test") for patient, told in people.items()]


def _row(root: Path, patient: str, folders: Iterable[Path], told: Mapping[str, str], split: str = "") -> SmearRow:
    """Return the row of a patient whose cells are in the first of some folders that is there."""
    folder = next((folder for folder in folders if folder.is_dir()), None)
    files = [] if folder is None else [folder / SCEMILA_FEATURES, folder / "processed" / SCEMILA_FEATURES]
    features = next((path for path in files if path.is_file()), None)
    if folder is None or (features is None and not _holds_images(folder)):
        absent = "no images of this patient in the folder"
        return smear_row(patient, {"": ""}, "", told, split=split, specimen=_SPECIMEN, excluded=absent)
    smear = folder.relative_to(root).as_posix()
    return smear_row(patient, {"": str(features or folder)}, smear, told, split=split, specimen=_SPECIMEN)


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_ENDINGS for path in folder.rglob("*"))
