"""What the benchmark of backends counts and how it ranks."""

from pathlib import Path

import numpy as np
import pytest

from hemascope.app.backend_clock import interleave, median_rate, median_ratio
from hemascope.app.encoder_crops import load_crops
from hemascope.app.encoder_tables import encoder_tables
from hemascope.zoo.card import read_card
from hemascope.zoo.shipped import shipped_folder


class Counting:
    """Stands for a network under the clock: its rate is the number of the round."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def rate(self) -> float:
        self.log.append(self.name)
        return float(len(self.log))


def test_each_round_runs_every_network_and_begins_with_another() -> None:
    log: list[str] = []
    rates = interleave([Counting(log, name) for name in "abc"], lambda *_: None, rounds=3)  # type: ignore[arg-type]
    assert "".join(log) == "abcbcacab"
    assert [list(r) for r in rates] == [[1, 6, 8], [2, 4, 9], [3, 5, 7]]


def test_median_of_ratios_of_the_same_round() -> None:
    ours, reference = np.array([20.0, 2.0, 30.0]), np.array([10.0, 1.0, 10.0])
    assert median_rate(ours).value == 20
    found = median_ratio(ours, reference)
    assert found.value == 2
    assert (found.low, found.high) == (2, 3)


@pytest.mark.slow
def test_painted_crops_where_no_data_are_named(tmp_path: Path) -> None:
    card = read_card(shipped_folder("cell_classifier"))
    crops = load_crops(None, "val", card, count=4, known=6, scratch=tmp_path)
    side = card.spec["crop_px"]
    assert crops.name == "synthetic"
    assert crops.inputs.shape[1:] == crops.known.shape[1:] == (3, side, side)
    assert 1 <= len(crops.labels) == len(crops.inputs) <= 4
    assert 1 <= len(crops.known_labels) == len(crops.known) <= 6
    assert not any(np.array_equal(a, b) for a in crops.inputs for b in crops.known)


def test_tables_say_what_is_a_stand_in_and_what_is_missing() -> None:
    key = "dinobloom_s.torch.fp32"
    document = {
        "metrics": {f"{key}.cells_per_second": 14.0, f"{key}.ratio": 1.0, f"{key}.cosine_mean": 1.0},
        "intervals": {},
        "provenance": {
            "reference": key,
            "seeded_weights": ["dinobloom_s"],
            "absent": {"dinobloom_s.openvino.int8": "not installed"},
        },
    }
    speeds, crops, lacking = encoder_tables(document)
    assert speeds.rows[0][:4] == ("dinobloom_s", "torch", "fp32", "14.0")
    assert speeds.rows[0][5] == "1.00"
    assert crops.rows[0][1] == "seeded values, no weights"
    assert lacking.rows == (("dinobloom_s.openvino.int8", "not installed"),)
