"""Small sets on disk in the layouts of the public ones; the readers run on them as on the real thing."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_set(folder: Path, **tables: str) -> Path:
    """Write ``<name>.csv`` for every table, and a gray image for every first cell of labels.csv."""
    folder.mkdir(parents=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    for line in tables["labels"].splitlines()[1:]:
        write_image(folder / line.split(",")[0])
    return folder


def write_image(path: Path) -> None:
    """Write a gray image of 64 x 48."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((48, 64, 3), 200, np.uint8)).save(path)


BCCD_LABELS = """path,label,patient_id,split,wbc_type,nucleus_mask,has_cleaned,has_txl
images/BloodImage_00007.png,WBC=1,,train,NEUTROPHIL,,1,1
images/BloodImage_00008.png,WBC=1,,test,"NEUTROPHIL, EOSINOPHIL",,1,0
images/BloodImage_00242.png,WBC=0,,test,,,0,0
"""

BCCD_BOXES = """path,version,label,xmin,ymin,xmax,ymax
images/BloodImage_00007.png,original,WBC,1.0,2.0,11.0,22.0
images/BloodImage_00007.png,original,RBC,5.0,5.0,5.0,5.0
images/BloodImage_00007.png,cbc_cleaned,WBC,1.0,2.0,12.0,22.0
images/BloodImage_00007.png,txl,WBC,1.0,2.0,13.0,22.0
images/BloodImage_00007.png,txl,RBC,30.0,30.0,40.0,40.0
images/BloodImage_00007.png,txl,Platelets,50.0,5.0,53.0,8.0
images/BloodImage_00008.png,original,WBC,1.0,2.0,11.0,22.0
images/BloodImage_00008.png,cbc_cleaned,WBC,2.0,2.0,12.0,22.0
images/BloodImage_00242.png,original,RBC,30.0,30.0,40.0,40.0
"""


def write_bccd(root: Path, labels: str = BCCD_LABELS, boxes: str = BCCD_BOXES) -> Path:
    """Write a bccd of three fields under ``root``."""
    return write_set(root / "bccd", labels=labels, boxes=boxes)
