"""A small model of patients with fixed weights, for the tests of an analysis with one."""

from __future__ import annotations

import numpy as np

from hemascope.core.bag import Bag
from hemascope.core.bag_prediction import BagPrediction
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.core.embedding import encoder_digest
from hemascope.core.errors import CohortError
from hemascope.core.ports import Encoder
from hemascope.core.provenance import ModelIdentity

DISEASE = BagTask(
    "disease",
    TaskKind.CLASSES,
    ("acute_leukemia", "mds", "mds_mpn", "mpn", "lymphoma", "plasma_cell_neoplasm", "reactive", "healthy"),
)
HEMOGLOBIN = BagTask("hemoglobin", TaskKind.NUMBER, ("hemoglobin",), "g/dL")


class PooledModel:
    """Weighs cells by a softmax of one projection, and answers from their weighted mean; a ``BagModel``.

    Keeps the bags that it was asked about.
    """

    identity = ModelIdentity("pooled", "1", "cd" * 32, "numpy-cpu-fp64", "Apache-2.0")
    tasks = (DISEASE, HEMOGLOBIN)

    def __init__(self, encoder: Encoder, members: int = 2, digest: str | None = None) -> None:
        self.encoder = digest or encoder_digest(encoder.identity, encoder.spec)
        rng = np.random.default_rng(5)
        dimension = encoder.spec.dimension
        self._attend = rng.normal(0, 1, (members, dimension))
        self._answer = rng.normal(0, 1, (members, dimension, len(DISEASE.outputs) + 1))
        self.asked: list[Bag] = []

    def predict(self, bag: Bag) -> BagPrediction:
        if bag.encoder != self.encoder:
            raise CohortError("another encoder")
        self.asked.append(bag)
        values = bag.values / np.linalg.norm(bag.values, axis=1, keepdims=True)
        shares = [_softmax(values @ attend) for attend in self._attend]
        answers = np.array([share @ values @ answer for share, answer in zip(shares, self._answer, strict=True)])
        disease = np.array([_softmax(row[:-1]) for row in answers])
        hemoglobin = 12 + answers[:, -1]
        return BagPrediction(
            bag.patient,
            {"disease": disease.mean(axis=0)},
            {"hemoglobin": float(hemoglobin.mean())},
            {"disease": disease, "hemoglobin": hemoglobin},
            np.mean(shares, axis=0)[:, None],
            ("all",),
            (shares[0] @ values).astype(np.float32),
        )


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())
