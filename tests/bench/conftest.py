"""Small sets on disk in the layouts of the public ones, with cells painted where the boxes are."""

from pathlib import Path

import numpy as np
import pytest
from color_parts import parts, silent
from PIL import Image, ImageDraw

from hemascope.app.bench import run_benchmark
from hemascope.app.bench_record import BenchmarkRun
from hemascope.app.bench_request import BenchmarkRequest

LABELS = {
    "bccd": "path,label,patient_id,split,wbc_type,nucleus_mask,has_cleaned,has_txl\n"
    "images/BloodImage_00001.png,,,test,MONOCYTE,,1,1\n"
    "images/BloodImage_00005.png,,,test,NEUTROPHIL,,1,0\n"
    'images/BloodImage_00009.png,,,test,"NEUTROPHIL, EOSINOPHIL",,1,0\n',
    "txl_pbc_boxes": "path,label,patient_id,split,source_subset,wbc_type,pbc_name\n"
    "images/a.png,,,test,PBC,monocyte,MO_1.jpg\n",
    "aybu_fields": "path,label,patient_id,split\nimages/image-1.png,,,test\n",
    "chula_wbc_fields": "path,label,patient_id,split,tag\nimages/B-30.png,,slide_30,test,B-30\n",
}

BOXES = {
    "bccd": "path,version,label,xmin,ymin,xmax,ymax\n"
    "images/BloodImage_00001.png,original,WBC,10,10,30,30\n"
    "images/BloodImage_00001.png,cbc_cleaned,WBC,10,10,30,30\n"
    "images/BloodImage_00001.png,txl,WBC,10,10,30,30\n"
    "images/BloodImage_00001.png,txl,RBC,60,10,75,25\n"
    "images/BloodImage_00001.png,txl,RBC,80,10,95,25\n"
    "images/BloodImage_00005.png,original,WBC,10,10,30,30\n"
    "images/BloodImage_00005.png,cbc_cleaned,WBC,10,10,30,30\n"
    "images/BloodImage_00005.png,cbc_cleaned,Platelets,70,60,76,66\n"
    "images/BloodImage_00009.png,original,WBC,10,10,30,30\n"
    "images/BloodImage_00009.png,cbc_cleaned,WBC,10,10,30,30\n"
    "images/BloodImage_00009.png,cbc_cleaned,WBC,40,40,60,60\n",
    "txl_pbc_boxes": "path,label,xmin,ymin,xmax,ymax\nimages/a.png,WBC,10,10,30,30\nimages/a.png,RBC,60,10,75,25\n",
    "aybu_fields": "path,label,xmin,ymin,xmax,ymax\nimages/image-1.png,WBC,10,10,30,30\n",
    "chula_wbc_fields": "path,label,xmin,ymin,xmax,ymax\nimages/B-30.png,basophil,10,10,30,30\n",
}

WITHOUT_ENCODERS = ("detection", "segmentation", "classification", "redcells", "speed", "report")
"""Benchmarks that run on the small sets here."""

COLORS = {"WBC": (90, 40, 150), "RBC": (200, 120, 130), "Platelets": (150, 110, 180)}
"""White cells violet, red cells pink, platelets between."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with every set that the benchmarks ask for, to be changed at will."""
    return write_sets(tmp_path / "sets")


@pytest.fixture(scope="session")
def kept_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same folder for every test, to be left as it is."""
    return write_sets(tmp_path_factory.mktemp("kept") / "sets")


@pytest.fixture(scope="session")
def runs(kept_root: Path) -> dict[str, BenchmarkRun]:
    """Return a run of every benchmark that needs no encoder; the others have sets and tests of their own."""
    return {name: run_benchmark(BenchmarkRequest(name, kept_root), parts(), silent) for name in WITHOUT_ENCODERS}


def write_sets(root: Path) -> Path:
    """Write every set with its images."""
    for name, labels in LABELS.items():
        folder = root / name
        (folder / "images").mkdir(parents=True)
        (folder / "labels.csv").write_text(labels)
        (folder / "boxes.csv").write_text(BOXES[name])
        for line in labels.splitlines()[1:]:
            paint(
                folder / line.split(",")[0],
                [row for row in BOXES[name].splitlines() if row.startswith(line.split(",")[0])],
            )
    write_single_cells(root / "pbc_acevedo_128")
    write_red_cells(root / "chula_rbc12")
    write_masks(root / "wbc_seg")
    return root


def write_red_cells(folder: Path) -> None:
    """Write three fields of two red cells with their points, and one of an anemia."""
    labels, points = ["path,label,split,kind"], ["path,x,y,class_id,label"]
    for number, split in enumerate(("train", "val", "test")):
        name = f"fields/{5 * number}.png"
        labels.append(f"{name},,{split},rbc12_field")
        points += [f"{name},30,40,0,normal", f"{name},70,40,8,burr"]
    labels.append("disease_fields/anemia/0.png,anemia,train,disease_field")
    for line in labels[1:]:
        path = folder / line.split(",")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        paint(path, ["x,RBC,20,30,40,50", "x,RBC,60,30,80,50"])
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    (folder / "points.csv").write_text("\n".join(points) + "\n")


def write_masks(folder: Path) -> None:
    """Write two images of one white cell each: a mask of the box that is found, and one of half of it."""
    lines = ["path,label,split,mask,source_subset"]
    for name, right in (("a", 30), ("b", 20)):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "masks").mkdir(parents=True, exist_ok=True)
        paint(folder / "images" / f"{name}.png", ["x,WBC,10,10,30,30"])
        mask = np.zeros((80, 100), np.uint8)
        mask[10:30, 10:right] = 128
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
        lines.append(f"images/{name}.png,neutrophil,test,masks/{name}.png,tecom")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def paint(path: Path, rows: list[str]) -> None:
    image = Image.new("RGB", (100, 80), (235, 230, 225))
    for row in rows:
        *_, label, x0, y0, x1, y1 = row.split(",")
        color = COLORS.get(label, COLORS["WBC"])
        ImageDraw.Draw(image).ellipse([float(x0), float(y0), float(x1) - 1, float(y1) - 1], fill=color)
    image.save(path)


def write_single_cells(folder: Path) -> None:
    """Write cells whose brightness tells the type: eight types, three cells each in train and test."""
    types = ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet")
    lines = ["path,label,patient_id,split,subtype,acq,group"]
    for number, name in enumerate(types):
        for split in ("train", "test"):
            for copy in range(3):
                path = f"images/{name}/{split}_{copy}.png"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                pixels = np.full((128, 128, 3), 20 + 30 * number, np.uint8)
                pixels[:: 2 + copy] += 3
                Image.fromarray(pixels).save(folder / path)
                lines.append(f"{path},{name},,{split},,A,{name}_{split}_{copy}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
