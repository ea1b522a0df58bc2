"""Embedded cells of known type, as ``hemascope embed`` writes them, as a pool that simulated patients are made of."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from hemascope.core.errors import InputError, MissingExtraError
from hemascope.sources.embedding_tables import EmbeddingTable
from hemascope.synth.cohort.real_cells import CellPool


def read_cell_pool(path: Path, label: str = "label", group: str = "group") -> CellPool:
    """Return the cells of a table.

    Parameters
    ----------
    path
        A ``.h5ad`` file or a ``.zarr`` folder.
    label
        Column of the type of each cell; rows without one are left out.
    group
        Column of what must stay on one side of a split; without it every cell is a group of its own.

    Raises
    ------
    InputError
        If the table cannot be read or has no such label, or only one type.
    MissingExtraError
        If what reads it is not installed.
    """
    if importlib.util.find_spec("anndata") is None:
        raise MissingExtraError(f"reading {path.name}", "scverse")
    import anndata

    with EmbeddingTable(path) as table:  # says what is wrong with a file that is none
        values, encoder = table.values(np.arange(len(table))), table.encoder
    read = anndata.read_zarr if path.suffix.lower() == ".zarr" else anndata.read_h5ad
    facts = read(path).obs
    if label not in facts.columns:
        raise InputError(f"{path} has no column '{label}'; columns it has: {', '.join(facts.columns) or 'none'}")
    texts = np.array(["" if text != text else str(text) for text in facts[label].astype(object)])
    known = np.flatnonzero(texts != "")
    names, types = np.unique(texts[known], return_inverse=True)
    if len(names) < 2:
        raise InputError(f"{path}: column '{label}' names {len(names)} types of cells; a pool needs two or more")
    groups = np.arange(len(known))
    if group in facts.columns:
        groups = np.unique(facts[group].astype(str).to_numpy(dtype=str)[known], return_inverse=True)[1]
    return CellPool(tuple(names.tolist()), types, values[known], groups, encoder)
