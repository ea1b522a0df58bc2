from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hemascope.core.errors import WeightsError
from hemascope.zoo.plain_tensors import tensors_from_bytes, tensors_to_bytes

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.float32([0.5])}


@given(st.dictionaries(st.text(min_size=1, max_size=5), arrays(np.float32, array_shapes(max_dims=3, max_side=4))))
def test_what_is_written_is_read(tensors: dict[str, np.ndarray]) -> None:
    tensors.pop("__metadata__", None)
    found = tensors_from_bytes(tensors_to_bytes(tensors), "t")
    assert set(found) == set(tensors)
    for name, values in tensors.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_reference_reads_what_we_write_and_we_what_it_writes(tmp_path: Path) -> None:
    reference = pytest.importorskip("safetensors.numpy", reason="needs the extra 'train'")
    back = reference.load(tensors_to_bytes(TENSORS))
    theirs = tensors_from_bytes(reference.save(TENSORS | {"half": np.float16([1, 2])}), "t")
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(back[name], values)
        np.testing.assert_array_equal(theirs[name], values)
    assert theirs["half"].dtype == np.float16


WHOLE = tensors_to_bytes(TENSORS)


def with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"\0" * 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:5],
        WHOLE[:20],
        WHOLE[:-1],
        b"\xff" * 40,
        with_header([]),
        with_header({"a": 1}),
        with_header({"a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}),
        with_header({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}),
        with_header({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [8, 0]}}),
    ],
)
def test_what_is_no_such_file_is_named(data: bytes) -> None:
    with pytest.raises(WeightsError, match=r"mine\.safetensors: no tensors"):
        tensors_from_bytes(data, "mine.safetensors")
