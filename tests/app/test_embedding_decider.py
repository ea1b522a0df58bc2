"""The denoiser of embeddings whose cost is measured: from a model folder, deciding early, computing each time anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from painted_judge import TRIALS, painted_crops, write_judge

from hemascope import wiring
from hemascope.app.shared_encoders import SharedEncoders
from hemascope.classify.diffusion.elimination import AnytimeRule
from hemascope.core.cell import CellCrop
from hemascope.core.taxonomy import CellType
from hemascope.embed.descriptor_encoder import DescriptorEncoder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_judge(tmp_path_factory.mktemp("decider") / "model", choice="descriptors")


def test_a_model_folder_decides_alone(written: Path) -> None:
    decider = wiring.build_embedding_decider(written)
    crops, labels = painted_crops()
    answers = decider.decide(decider.embed([crops]))
    assert [identity.name for identity in decider.identities] == ["descriptors", "embedding_denoiser"]
    assert isinstance(decider.classifier.rule, AnytimeRule)
    assert answers.told.tolist() == labels.tolist()
    assert answers.passes.max() <= TRIALS * len(CellType)


class CountingEncoder(DescriptorEncoder):
    """Counts the crops it is asked for."""

    asked = 0

    def encode(self, crops: Sequence[CellCrop]) -> NDArray[np.float32]:
        self.asked += len(crops)
        return super().encode(crops)


@pytest.mark.parametrize(("room", "asked"), [(0, 4), (10, 2)])
def test_encoders_without_room_compute_each_time(room: int, asked: int) -> None:
    counting = CountingEncoder()
    encoder = SharedEncoders(lambda folder: pytest.fail("no graph is asked for"), lambda name: counting, room).named(
        "x"
    )
    crops = painted_crops()[0][:2]
    first, second = encoder.encode(crops), encoder.encode(crops)
    np.testing.assert_array_equal(first, second)
    assert counting.asked == asked
