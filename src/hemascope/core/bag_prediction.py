"""What a model says of a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class BagPrediction:
    """What an ensemble says of one bag.

    Attributes
    ----------
    patient
        Whose bag it was.
    probabilities
        Task of classes or markers to K calibrated probabilities, the mean over the members; those of classes sum to 1.
    numbers
        Task of a number to the number, in its unit.
    members
        Task to what each member says: M x K probabilities, or M numbers.
    attention
        N x A shares of the cells, each column sums to 1; A is 1, or one a class where attention is per class. The mean
        over the members.
    attended
        Names of the A columns: ``all``, or the classes.
    embedding
        E float32: the patient as a vector, of the first member.
    abstained
        Task to why it has no answer, in words; empty where every task is answered.
    """

    patient: str
    probabilities: Mapping[str, NDArray[np.float64]]
    numbers: Mapping[str, float]
    members: Mapping[str, NDArray[np.float64]]
    attention: NDArray[np.float64]
    attended: tuple[str, ...]
    embedding: NDArray[np.float32]
    abstained: Mapping[str, str] = field(default_factory=dict)
