"""Public cohorts on disk in their makers' layouts: names, columns and folders as theirs, contents made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

AML_HEHR = """patient_id,sex_1f_2m,age,bag_label,instance_count,leucocytes_per_ul,pb_total,pb_myeloblast,pb_promyelocyte
AAA,1,45,PML_RARA,3,1200,100,0,80
BBB,2,61,control,4,NA,100,0,0
CCC,1,33,NPM1,2,90000,100,90,1
"""

APL_AML = """Patient_ID,Diagnosis,Cohort,Age at Diagnosis,Gender
Patient_00,APL,Discovery,29,Female
Patient_01,AML,Discovery,28,Male
Patient_82,APL,Validation,43,Female
"""

CAITOMORPH = """patient_id,diagnosis_coarse,diagnosis_fine,number_of_cells
p1,acute_leukemia,AML,2
p2,healthy,SCD,3
"""


def write_cell(path: Path, number: int = 0, side: int = 36) -> None:
    """Write an image of one purple disk on a pale ground, another one for every number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:side, :side] - side / 2
    pixels = np.full((side, side, 3), 225, np.uint8)
    pixels[np.hypot(x, y) < side / 4 + number % 5] = (110, 40 + 7 * (number % 11), 150)
    Image.fromarray(pixels).save(path)


def write_aml_hehr(root: Path, *, features: bool = False) -> Path:
    """As TCIA and SCEMILA have it: images by the first, 512 maps a cell by the second, which come under ``data``."""
    root.mkdir(parents=True)
    (root / "metadata.csv").write_text(AML_HEHR, encoding="utf-8")
    random = np.random.default_rng(0)
    for label, patient, count in (("PML_RARA", "AAA", 3), ("control", "BBB", 4), ("NPM1", "CCC", 2)):
        if features:
            home = root / "data" / label / patient
            home.mkdir(parents=True)
            maps = random.normal(size=(count, 512, 2, 3)).astype(np.float32)
            np.save(home / "fnl34_bn_features_layer_7.npy", maps)
        else:
            for number in range(count):
                write_cell(root / label / patient / f"image_{number}.tif", number)
    return root


def write_apl_aml(root: Path, *, on_kaggle: bool = True) -> Path:
    """As Kaggle has it, or the authors' repository, which writes names with spaces and a folder more."""
    root.mkdir(parents=True)
    (root / "master.csv").write_text(APL_AML, encoding="utf-8")
    homes, gap = (root, "_") if on_kaggle else (root / "All", " ")
    for number, patient in enumerate(("Patient_00", "Patient_01", "Patient_82")):
        slides = homes / patient / f"Signed{gap}slides"
        write_cell(slides / f"Blast,{gap}no{gap}lineage{gap}spec" / f"BL_{number}.jpg", number)
        write_cell(slides / "Lymphocyte" / f"LY_{number}.jpg", number + 1)
        (slides / "Lymphocyte" / "Thumbs.db").write_bytes(b"no image")
    write_cell(homes / "Patient_00" / f"Unsigned{gap}slides" / "00001.jpg", 7)
    write_cell(homes / "Patient_99" / f"Signed{gap}slides" / "Lymphocyte" / "LY_9.jpg", 8)
    return root


def write_caitomorph(root: Path) -> Path:
    """As a third party reads it."""
    root.mkdir(parents=True)
    (root / "metadata.csv").write_text(CAITOMORPH, encoding="utf-8")
    for patient, count in (("p1", 2), ("p2", 3)):
        for number in range(count):
            write_cell(root / "patients" / patient / f"{number}.TIF", number)
    return root
