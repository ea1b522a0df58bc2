"""Cohorts fixed before any model was trained on them: ``myeloma-720`` in three difficulties, and ``eight-classes``.

Numbers of patients, prevalences and sizes of bags follow the two papers as far as they state them; what they leave open
is ours: states, distances, shares, confusions, nuisance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.synth.cohort.truth import BagSizes, CellStates, CohortTruth, embedding_view

MARKERS = ("del17p", "t4_14", "t11_14", "gain1q")
"""del(17p), t(4;14), t(11;14), gain(1q)."""

PREVALENCES = (0.10, 0.13, 0.18, 0.40)

MYELOMA_SPLIT = (432, 144, 20_000)
"""Training, validation and simulated test patients."""

LEVELS_WITHOUT = ((0.88, 0.09, 0.03), (0.88, 0.09, 0.03), (0.90, 0.08, 0.02), (0.86, 0.11, 0.03))
LEVELS_WITH = ((0.15, 0.25, 0.60), (0.16, 0.26, 0.58), (0.11, 0.24, 0.65), (0.17, 0.28, 0.55))
"""For each marker, how often a patient without or with it has no, few or many cells of its state: morphology does not
always follow, and other lesions look alike."""

COMPOSITIONS = 24
"""Backgrounds that a patient of ``myeloma-720`` may have."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard ``myeloma-720`` is.

    Attributes
    ----------
    seed
        Of the law.
    dimension
        Length of an embedding.
    distance
        From an informative state to the nearest other one, in standard deviations of a cell.
    few, many
        Shares of informative cells at the two levels.
    patient_shift
        How far patients and sites lie apart in nuisance, in standard deviations of a cell.
    loudest
        Largest standard deviation of nuisance.
    """

    seed: int
    dimension: int
    distance: float
    few: float
    many: float
    patient_shift: float
    loudest: float


DIFFICULTIES = {
    "easy": Difficulty(7201, 32, 5.0, 0.10, 0.20, 0.5, 1.5),
    "medium": Difficulty(7202, 64, 4.0, 0.07, 0.15, 0.7, 2.0),
    "hard": Difficulty(7203, 128, 3.2, 0.05, 0.10, 1.0, 2.5),
}


def myeloma_720(difficulty: str = "medium") -> CohortTruth:
    """Return the law of ``myeloma-720``: four markers, each of which changes a share of the plasma cells.

    Raises
    ------
    KeyError
        If there is no such difficulty.
    """
    hard = DIFFICULTIES[difficulty]
    generator = np.random.default_rng(hard.seed)
    background, width = 6, 8
    centers = _spread_centers(generator, background, width, least=5.0)
    for _ in MARKERS:
        centers = np.vstack([centers, _new_center(generator, centers, background, hard.distance)])
    levels = np.array(list(itertools.product(range(3), repeat=len(MARKERS))))
    shares = np.array([0.0, hard.few, hard.many])[levels]
    mixes = generator.dirichlet(np.full(background, 2.0), COMPOSITIONS)
    compositions = np.concatenate([np.hstack([(1 - shares.sum(axis=1, keepdims=True)) * mix, shares]) for mix in mixes])
    labels = np.array(list(itertools.product((0.0, 1.0), repeat=len(MARKERS))))
    names = tuple(f"plasma_cell_{place}" for place in range(background)) + MARKERS
    return CohortTruth(
        name=f"myeloma-720-{difficulty}",
        seed=hard.seed,
        tasks=(BagTask("cytogenetics", TaskKind.MARKERS, MARKERS),),
        states=CellStates(names, centers, np.arange(len(names)) >= background),
        compositions=compositions,
        labels=labels,
        joint=np.tile(_marker_joint(labels, levels), (1, COMPOSITIONS)) / COMPOSITIONS,
        sizes=BagSizes(243, 0.39, 68, 823),
        view=embedding_view(generator, hard.dimension, width, hard.patient_shift, 3, hard.loudest),
    )


def _marker_joint(labels: NDArray[np.float64], levels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return combinations of markers x combinations of levels."""
    joint = np.ones((len(labels), len(levels)))
    for marker, prevalence in enumerate(PREVALENCES):
        has = labels[:, marker].astype(np.intp)
        of_level = np.array([LEVELS_WITHOUT[marker], LEVELS_WITH[marker]])
        joint *= np.array([1 - prevalence, prevalence])[has][:, None] * of_level[has][:, levels[:, marker]]
    return joint


def _spread_centers(generator: np.random.Generator, count: int, width: int, least: float) -> NDArray[np.float64]:
    """Return centers at least ``least`` apart."""
    while True:
        centers = generator.normal(scale=least / np.sqrt(width), size=(count, width)) * 1.2
        gaps = np.linalg.norm(centers[:, None] - centers[None], axis=2)[np.triu_indices(count, 1)]
        if gaps.min() >= least:
            return centers


def _new_center(
    generator: np.random.Generator, centers: NDArray[np.float64], homes: int, distance: float
) -> NDArray[np.float64]:
    """Return a center that is ``distance`` from one of the first ``homes`` centers and no nearer to any other."""
    while True:
        step = generator.normal(size=centers.shape[1])
        center = centers[generator.integers(homes)] + distance * step / np.linalg.norm(step)
        if np.linalg.norm(centers - center, axis=1).min() >= distance - 1e-9:
            return np.asarray(center, np.float64)


DISEASES = (
    "acute_leukemia", "mds", "mds_mpn", "mpn", "lymphoma", "plasma_cell_neoplasm", "reactive", "healthy",
)  # fmt: skip
"""The letter's eight coarse classes."""

EIGHT_SPLIT = (1634, 409)
"""The letter's training and test patients."""

FINE: dict[str, tuple[int, int]] = {
    "AML": (0, 38), "ALL": (0, 8), "MDS": (1, 38), "MDS/MPN": (2, 22), "ET": (3, 2), "PV": (3, 2), "CML": (3, 8),
    "other MPN": (3, 36), "CLL": (4, 15), "B-cell neoplasm": (4, 42), "multiple myeloma": (5, 57), "reactive": (6, 42),
    "healthy": (7, 99),
}  # fmt: skip
"""Fine class to its coarse class and its patients among the 409 of the letter's test set; where the letter gives only
sums, the parts are ours."""

CELL_STATES = (
    "neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil", "erythroblast", "immature_granulocyte", "blast",
    "dysplastic_neutrophil", "giant_platelet", "atypical_lymphocyte", "plasma_cell",
)  # fmt: skip

USUAL: dict[str, tuple[float, ...]] = {
    "AML": (20, 20, 6, 1, 0.5, 2, 6, 38, 4, 0.5, 1, 0.2),
    "ALL": (18, 24, 3, 1, 0.3, 1, 2, 46, 0.5, 0.3, 4, 0.2),
    "MDS": (40, 30, 6, 2, 0.7, 2, 5, 2.5, 10, 1.5, 1, 0.3),
    "MDS/MPN": (38, 18, 22, 2, 1.5, 1.5, 8, 2, 5, 1.5, 1, 0.3),
    "ET": (58, 24, 6, 2.5, 1, 0.3, 1.5, 0.2, 0.5, 6, 0.5, 0.2),
    "PV": (64, 19, 5, 3, 1.5, 0.8, 2, 0.2, 0.5, 3, 0.5, 0.2),
    "CML": (52, 8, 3, 4, 6, 1.5, 20, 2, 1, 2, 0.3, 0.2),
    "other MPN": (60, 16, 6, 3, 2, 3, 6, 1, 1, 2, 0.5, 0.2),
    "CLL": (14, 70, 2, 0.8, 0.3, 0.1, 0.3, 0.1, 0.2, 0.2, 11, 0.2),
    "B-cell neoplasm": (48, 30, 8, 2, 0.7, 0.3, 1, 0.3, 0.4, 0.4, 8, 0.6),
    "multiple myeloma": (54, 28, 9, 2, 0.7, 1, 1.2, 0.2, 0.5, 0.4, 1, 3),
    "reactive": (62, 22, 8, 1.5, 0.5, 0.4, 2.5, 0.3, 0.6, 0.4, 2.2, 0.5),
    "healthy": (58, 31, 6.5, 2.5, 0.7, 0.05, 0.3, 0.05, 0.2, 0.2, 0.4, 0.1),
}
"""Percent of each state in each fine class, up to a factor: ours."""

LOOKS_LIKE: dict[str, dict[str, float]] = {
    "AML": {"MDS": 0.18, "MDS/MPN": 0.03},
    "ALL": {"B-cell neoplasm": 0.08, "AML": 0.08},
    "MDS": {"healthy": 0.06, "reactive": 0.07, "MDS/MPN": 0.06, "AML": 0.04},
    "MDS/MPN": {"other MPN": 0.18, "MDS": 0.14, "reactive": 0.04},
    "ET": {"reactive": 0.08}, "PV": {"healthy": 0.08}, "CML": {"other MPN": 0.05},
    "other MPN": {"reactive": 0.06, "healthy": 0.04, "MDS/MPN": 0.05},
    "CLL": {"B-cell neoplasm": 0.12},
    "B-cell neoplasm": {"multiple myeloma": 0.22, "reactive": 0.14, "healthy": 0.10},
    "multiple myeloma": {"healthy": 0.08, "B-cell neoplasm": 0.06, "reactive": 0.06},
    "reactive": {"healthy": 0.18, "other MPN": 0.06, "MDS": 0.06, "multiple myeloma": 0.06},
    "healthy": {"reactive": 0.02},
}  # fmt: skip
"""Fine class to how often its patients have a blood that is another's: what keeps the best answer from being right."""

VARIANTS = 12
"""Compositions a fine class."""

HEMOGLOBIN = (8.9, 9.6, 10.3, 13.4, 12.6, 11.2, 12.4, 14.6)
"""Mean of each coarse class in g/dL: ours."""

_EIGHT_SEED = 8409


def eight_classes() -> CohortTruth:
    """Return the law of ``eight-classes``: the letter's classes, proportions and sizes, with hemoglobin."""
    generator = np.random.default_rng(_EIGHT_SEED)
    names = tuple(FINE)
    width = 10
    centers = _spread_centers(generator, len(CELL_STATES), width, least=3.5)
    usual = np.array([USUAL[name] for name in names])
    varied = usual[:, None] * np.exp(0.35 * generator.normal(size=(len(names), VARIANTS, len(CELL_STATES))))
    compositions = (varied / varied.sum(axis=2, keepdims=True)).reshape(-1, len(CELL_STATES))
    patients = np.array([FINE[name][1] for name in names], np.float64)
    looks = np.array([[LOOKS_LIKE[name].get(other, 0.0) for other in names] for name in names])
    looks += np.diag(1 - looks.sum(axis=1))
    joint = np.repeat((patients / patients.sum())[:, None] * looks, VARIANTS, axis=1) / VARIANTS
    coarse = np.array([FINE[name][0] for name in names])
    informative = np.isin(
        CELL_STATES, ["blast", "dysplastic_neutrophil", "giant_platelet", "atypical_lymphocyte", "plasma_cell"]
    )
    return CohortTruth(
        name="eight-classes",
        seed=_EIGHT_SEED,
        tasks=(
            BagTask("disease", TaskKind.CLASSES, DISEASES),
            BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL"),
        ),
        states=CellStates(CELL_STATES, centers, informative),
        compositions=compositions,
        labels=coarse[:, None].astype(np.float64),
        joint=joint,
        sizes=BagSizes(560, 0.12, 250, 500),
        view=embedding_view(generator, 64, width, 0.7, 3, 2.0),
        number_means=np.array(HEMOGLOBIN)[coarse],
        number_spread=1.5,
        label_names=names,
    )
