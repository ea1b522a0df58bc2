"""What the benchmark of synthetic cells compares: pictures of training, held-out, generated and spoiled cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.app.synthesize import Generator, Pictures, draw_class
from hemascope.app.synthetic_check import copies_of, embed_pictures, real_pictures, some_of
from hemascope.app.target_cells import TypedCell, class_numbers, group_names
from hemascope.core.errors import InputError
from hemascope.core.taxonomy import CellType
from hemascope.denoise.sampling import SamplingPlan
from hemascope.evaluate.leaks import check_disjoint_groups

CLASSES = tuple(cell_type.value for cell_type in CellType)

BLUR_PX = 2.0
"""Deviation of the Gaussian that spoils the blurred cells, in pixels of the model: 0.75 um at 64 pixels for 24 um."""

LEAST = 4
"""Cells of a type; precision and recall look at three neighbors."""

SEED = 0
"""Of the draws of real and generated cells."""

Values = NDArray[np.float32]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Pictures of all cells that are compared, N x S x S x 3 each, with their types as places in ``CLASSES``.

    Attributes
    ----------
    training, training_types, training_groups
        Every cell that the model learned from.
    held_out, held_out_types, held_out_groups
        Real cells that it did not learn from.
    tested
        Which of the held-out cells belong to the test split.
    each
        Cells of a type in every comparison.
    made, made_types
        Generated cells, ``each`` of a type.
    drawn, reference
        Rows of as many training and held-out cells, type by type as the generated ones.
    blurred
        The drawn training cells, blurred.
    copies
        Some training cells, as a generator that copies would make them.
    """

    training: Pictures
    training_types: Numbers
    training_groups: NDArray[np.str_]
    held_out: Pictures
    held_out_types: Numbers
    held_out_groups: NDArray[np.str_]
    tested: NDArray[np.bool_]
    each: int
    made: Pictures
    made_types: Numbers
    drawn: Numbers
    reference: Numbers
    blurred: Pictures
    copies: Pictures


def gather_material(
    generator: Generator,
    cells: tuple[TypedCell, ...],
    plan: SamplingPlan,
    most: int,
    progress: Progress,
) -> Material:
    """Return the pictures of real cells, and as many generated ones of every type as there are real ones held out.

    Parameters
    ----------
    cells
        Of all splits.
    most
        At most this many of a type in the comparisons.

    Raises
    ------
    InputError
        If the model does not know every type, or there are too few cells.
    DataSetError
        If a group sits in two splits.
    """
    missing = [name for name in CLASSES if name not in generator.denoiser.classes]
    if missing:
        raise InputError(
            f"{generator.denoiser.identity.name} knows no {', '.join(missing)}; measure one that knows all"
        )
    known = [cell for cell in cells if cell.split == "train"]
    apart = [cell for cell in cells if cell.split != "train"]
    types, groups = class_numbers([*known, *apart]), group_names([*known, *apart])
    held_types, held_groups = types[len(known) :], groups[len(known) :]
    check_disjoint_groups(groups[: len(known)], held_groups)
    counts = [np.bincount(part, minlength=len(CLASSES)).min() for part in (types[: len(known)], held_types)]
    each = min(most, int(min(counts)))
    if each < LEAST:
        raise InputError(
            f"{each} cells of a type are too few to compare; give --limit {LEAST} or more, and sets as large"
        )
    real = real_pictures(generator.denoiser, [*known, *apart], progress)
    made = draw_pictures(generator, each, plan, progress)
    drawn, reference = draw_each(types[: len(known)], each), draw_each(held_types, each)
    chosen = real[: len(known)][drawn]
    return Material(
        training=real[: len(known)], training_types=types[: len(known)], training_groups=groups[: len(known)],
        held_out=real[len(known) :], held_out_types=held_types, held_out_groups=held_groups,
        tested=np.array([cell.split == "test" for cell in apart]),
        each=each, made=made, made_types=np.repeat(np.arange(len(CLASSES)), each),
        drawn=drawn, reference=reference, blurred=blurred_pictures(chosen),
        copies=copies_of(some_of(real[: len(known)]), SEED),
    )  # fmt: skip


def draw_each(types: Numbers, each: int, seed: int = SEED) -> Numbers:
    """Return the rows of ``each`` cells of every type, type by type, drawn without replacement."""
    generator = np.random.default_rng(seed)
    rows = [generator.permutation(np.flatnonzero(types == place))[:each] for place in range(len(CLASSES))]
    return np.concatenate(rows).astype(np.intp)


def blurred_pictures(pictures: Pictures) -> Pictures:
    """Return pictures blurred by a Gaussian of ``BLUR_PX``."""
    return np.stack([np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR_PX), np.uint8) for picture in pictures])


def embed_material(encoder: ProtocolEncoder, material: Material, width: float, progress: Progress) -> dict[str, Values]:
    """Return the embeddings of ``training``, ``held_out``, ``made``, ``blurred`` and ``copies``."""
    kinds: Mapping[str, Pictures] = {
        name: getattr(material, name) for name in ("training", "held_out", "made", "blurred", "copies")
    }
    return {name: embed_pictures(encoder, pictures, width, progress) for name, pictures in kinds.items()}


def draw_pictures(generator: Generator, each: int, plan: SamplingPlan, progress: Progress) -> Pictures:
    """Return generated cells, ``each`` of every type, type by type."""
    total = plan.passes(generator.denoiser.schedule, each)
    parts = []
    for name in CLASSES:

        def told(passes: int, note: str) -> None:
            progress(f"drawing {note}", passes, total)

        parts.append(draw_class(generator, name, each, plan, SEED, told))
    return np.concatenate(parts)
