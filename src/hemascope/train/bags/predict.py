"""What a network of patients says of bags, before calibration."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.core.bag import BagSet
from hemascope.nets.bags.net import BagNet, BagOutput

BLOCK_CELLS = 8192
"""Cells answered at once, at least a bag: what is held in memory stays small whatever the cohort."""


@dataclass(frozen=True, slots=True, eq=False)
class BagAnswers:
    """What one network says of P bags with T cells in all.

    Attributes
    ----------
    logits
        P x O float32: raw logits of classes and markers, standardized numbers.
    attention
        T x A float32, in the order of the cells.
    embedding
        P x E float32.
    """

    logits: NDArray[np.float32]
    attention: NDArray[np.float32]
    embedding: NDArray[np.float32]


@torch.no_grad()
def answers_of(net: BagNet, bags: BagSet, places: NDArray[np.intp] | None = None) -> BagAnswers:
    """Return what a network says of bags, every cell answering.

    Parameters
    ----------
    net
        In whichever mode; it answers in evaluation mode and is left in its own.
    bags
        All bags.
    places
        Those asked, in this order; all where None.

    Raises
    ------
    ValueError
        If no bag is asked.
    """
    asked = np.arange(len(bags)) if places is None else places
    if not len(asked):
        raise ValueError("there is no bag to answer")
    was_training = net.training
    net.eval()
    outputs = [_answer(net, bags, asked[block]) for block in _blocks(bags.sizes[asked])]
    net.train(was_training)
    logits, attention, embedding = (
        np.concatenate([part.numpy() for part in parts]) for parts in zip(*outputs, strict=True)
    )
    return BagAnswers(logits, attention, embedding)


def _blocks(sizes: NDArray[np.intp]) -> list[slice]:
    """Return runs of bags with about ``BLOCK_CELLS`` cells each, at least one bag."""
    block = (np.cumsum(sizes) - 1) // BLOCK_CELLS
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(sizes)]
    return [slice(first, last) for first, last in itertools.pairwise(edges)]


def _answer(net: BagNet, bags: BagSet, places: NDArray[np.intp]) -> BagOutput:
    rows = np.concatenate([np.arange(bags.starts[place], bags.starts[place + 1]) for place in places])
    starts = np.concatenate([[0], np.cumsum(bags.sizes[places])])
    output: BagOutput = net(torch.from_numpy(bags.values[rows]), torch.from_numpy(starts))
    return output
