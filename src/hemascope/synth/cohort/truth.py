"""What is true of a simulated cohort: states of cells, compositions of patients, and what they say of the labels.

A patient has labels and a profile; a profile is a composition of cell states; a cell is a point around the center of
its state. Labels act on cells through the profile alone, and there are finitely many profiles: so the probability of
the labels given the cells, hence the best that any method can reach, is a sum that can be computed (``bayes``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemascope.core.bag_task import BagTask


@dataclass(frozen=True, slots=True, eq=False)
class CellStates:
    """The kinds of cells there are, as far as labels can see them.

    Attributes
    ----------
    names
        K names.
    centers
        K x B float64, in units of the standard deviation of a cell around its center.
    informative
        K flags: states that labels bring about; their cells carry the signal.
    """

    names: tuple[str, ...]
    centers: NDArray[np.float64]
    informative: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BagSizes:
    """How many cells a patient has: log-normal, cut at both ends.

    Attributes
    ----------
    median
        Of the number of cells.
    spread
        Standard deviation of its logarithm.
    least, most
        Limits; sizes beyond are set to them.
    """

    median: float
    spread: float
    least: int
    most: int


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingView:
    """How cells look to a model: what matters, turned in among much that does not.

    An embedding is ``[state part, nuisance part] @ rotation``. The nuisance of a cell is Gaussian around its patient's,
    that around its site's; none of it depends on labels unless a confounder is planted.

    Attributes
    ----------
    rotation
        D x D orthogonal.
    nuisance
        D - B standard deviations of a cell around its patient.
    patient_shift
        Standard deviation of a patient around the site, in units of ``nuisance``.
    site_shifts
        S x (D - B) shifts of the sites, in units of ``nuisance``.
    """

    rotation: NDArray[np.float32]
    nuisance: NDArray[np.float32]
    patient_shift: float
    site_shifts: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return len(self.rotation)


@dataclass(frozen=True, slots=True, eq=False)
class CohortTruth:
    """A law that patients are drawn from.

    Attributes
    ----------
    name
        Of the preset.
    seed
        That everything here was drawn with; patients are drawn with streams of it.
    tasks
        What is asked; see ``labels``.
    states
        Kinds of cells.
    compositions
        G x K shares of the states in each profile; rows sum to 1.
    labels
        L x C: the truth of each combination of labels, in columns as ``truth_slices`` has them.
    joint
        L x G probabilities of labels and profile; sums to 1.
    sizes
        Cells a patient.
    view
        How cells look.
    number_means, number_spread
        L means of the number that goes with labels, where a task asks for one, and its standard deviation around them.
    label_names
        L names for readers, such as the fine class; empty where there are none.
    """

    name: str
    seed: int
    tasks: tuple[BagTask, ...]
    states: CellStates
    compositions: NDArray[np.float64]
    labels: NDArray[np.float64]
    joint: NDArray[np.float64]
    sizes: BagSizes
    view: EmbeddingView
    number_means: NDArray[np.float64] | None = None
    number_spread: float = 0.0
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        profiles, states = self.compositions.shape
        if states != len(self.states.names) or self.joint.shape != (len(self.labels), profiles):
            raise ValueError(f"{self.name}: compositions {self.compositions.shape} and joint {self.joint.shape} differ")
        if not np.allclose(self.compositions.sum(axis=1), 1) or not np.isclose(self.joint.sum(), 1):
            raise ValueError(f"{self.name}: shares of states and probabilities must sum to 1")

    @property
    def carried(self) -> NDArray[np.float64]:
        """G shares of informative cells."""
        return np.asarray(self.compositions[:, self.states.informative].sum(axis=1), np.float64)


def embedding_view(
    generator: np.random.Generator, dimension: int, states: int, patient_shift: float, sites: int, loudest: float
) -> EmbeddingView:
    """Return a view with a random rotation.

    Parameters
    ----------
    dimension
        D.
    states
        B, the dimensions that states live in.
    patient_shift
        As in ``EmbeddingView``; sites are apart by as much.
    sites
        Number of sites.
    loudest
        Standard deviation of the loudest nuisance; it falls off to a tenth of that.
    """
    rotation, _ = np.linalg.qr(generator.normal(size=(dimension, dimension)))
    rest = dimension - states
    nuisance = loudest * np.geomspace(1, 0.1, rest)
    shifts = patient_shift * generator.normal(size=(sites, rest))
    return EmbeddingView(
        rotation.astype(np.float32), nuisance.astype(np.float32), patient_shift, shifts.astype(np.float32)
    )
