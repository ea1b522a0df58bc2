"""Tables of embeddings as AnnData, ``.h5ad`` or ``.zarr``, read a few rows at a time.

What ``hemascope embed`` and ``hemascope features`` write (``export.embeddings_table``), and any other AnnData whose
``X`` is a plain array of numbers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError, MissingExtraError

TABLE_SUFFIXES = (".h5ad", ".zarr")
"""Endings, in lower case, of tables that may hold the cells of many smears."""

_NEEDED = {".h5ad": ("anndata", "h5py"), ".zarr": ("anndata", "zarr")}
_ZARR_3 = 3
_NONE = np.empty(0, np.intp)
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, NotImplementedError)


class EmbeddingTable:
    """A table on disk, open: what is known of its rows in memory, their vectors left where they are.

    Parameters
    ----------
    path
        A ``.h5ad`` file or a ``.zarr`` folder.

    Attributes
    ----------
    path
        As given.
    ids
        N names of rows.
    encoder
        Digest of what made the vectors, or its name where there is no digest; "" where the table does not tell.
    dimension
        Numbers a row.

    Raises
    ------
    InputError
        If it cannot be read, or its ``X`` is no plain array of numbers.
    MissingExtraError
        If what reads it is not installed.
    """

    def __init__(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if any(importlib.util.find_spec(module) is None for module in _NEEDED[suffix]):
            raise MissingExtraError(f"reading {path.name}", "scverse")
        self.path = path
        self._file: Any = None
        try:
            self._file = _open(path, suffix)
            self._values = self._file["X"]
            shape, kind = tuple(self._values.shape), self._values.dtype.kind
            obs = _read(self._file["obs"])
            uns = _read(self._file["uns"]) if "uns" in self._file else {}
        except _UNREADABLE as error:
            self.close()
            raise InputError(
                f"{path}: no AnnData table whose X is a plain array ({' '.join(str(error).split())[:200]}); write it "
                "again with hemascope embed"
            ) from error
        if len(shape) != 2 or kind not in "iuf" or len(obs) != shape[0]:
            self.close()
            raise InputError(
                f"{path}: its X is {shape}, not one row of numbers a cell; write it again with hemascope embed"
            )
        _check_chunks(path, self._values)
        self.ids: Sequence[str] = [str(name) for name in obs.index]
        self.dimension = int(shape[1])
        self.encoder = _encoder(uns)
        self._rows = {name: _rows_by_text(obs[name]) for name in ("smear", "patient") if name in obs.columns}
        self._fields = _rows_by_folder(_rows_by_text(obs["field_id"])) if "field_id" in obs.columns else {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)

    @property
    def tells_whose(self) -> bool:
        """Whether it has a column that says of which smear or patient a row is."""
        return bool(self._rows)

    @property
    def patients(self) -> list[str]:
        """Names in its column ``patient``, in order; none where it has no such column."""
        return list(self._rows.get("patient", ()))

    def rows_of(self, patient: str, smear: str) -> NDArray[np.intp]:
        """Return the rows of a smear, in order; none where the table does not know it.

        Parameters
        ----------
        patient
            Compared with the column ``patient``, where there is one.
        smear
            Compared with the column ``smear``; without one, with ``field_id``: that very image, with or without its
            ending, or every image in a folder of that name. Compared with neither where "".
        """
        found: NDArray[np.intp] | None = None
        if "patient" in self._rows:
            found = self._rows["patient"].get(patient, _NONE)
        if not smear:
            return _NONE if found is None else found
        if "smear" in self._rows:
            named = self._rows["smear"].get(smear, _NONE)
        else:
            named = self._fields.get(smear.rstrip("/"), _NONE)
            if found is not None and not len(named):  # smears are named otherwise than images: the patient decides
                return found
        return named if found is None else np.intersect1d(found, named)

    def values(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the vectors of rows that ascend, as float32; raise ``InputError`` where they cannot be read."""
        found = np.empty((len(rows), self.dimension), np.float32)
        done = 0
        try:
            for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
                if len(run):
                    found[done : done + len(run)] = self._values[int(run[0]) : int(run[-1]) + 1]
                done += len(run)
        except _UNREADABLE as error:
            raise InputError(f"{self.path}: its vectors cannot be read ({error}); write it again") from error
        return found

    def close(self) -> None:
        """Let go of the file."""
        close: Callable[[], None] | None = getattr(self._file, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the file."""
        self.close()


def _open(path: Path, suffix: str) -> Any:
    if suffix == ".h5ad":
        import h5py

        return h5py.File(path, "r")
    import zarr

    # What a store says of its parts in one place may name parts that are gone; zarr 2 looks at the parts anyway.
    plain: dict[str, Any] = {"use_consolidated": False} if int(zarr.__version__.split(".")[0]) >= _ZARR_3 else {}
    return zarr.open_group(path, mode="r", **plain)


def _check_chunks(path: Path, values: Any) -> None:
    """Refuse a Zarr array that lacks chunks, which would be read as zeros; an array of HDF5 is whole."""
    lacking = getattr(values, "nchunks", 0) - getattr(values, "nchunks_initialized", 0)
    if lacking:
        raise InputError(f"{path}: {lacking} of {values.nchunks} chunks of its X are gone; copy or write it again")


def _read(element: Any) -> Any:
    from anndata.io import read_elem

    return read_elem(element)


def _encoder(uns: Mapping[str, Any]) -> str:
    about = uns.get("encoder")
    if not isinstance(about, Mapping):
        return about if isinstance(about, str) else ""
    return str(about.get("digest") or about.get("name") or "")


def _rows_by_text(column: Any) -> dict[str, NDArray[np.intp]]:
    """Return each text of a column with its rows, which ascend."""
    texts, codes = np.unique(np.asarray(column.astype(str), dtype=np.str_), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(texts) + 1))
    return {text: order[starts[i] : starts[i + 1]] for i, text in enumerate(texts.tolist())}


def _rows_by_folder(fields: Mapping[str, NDArray[np.intp]]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of every image, of its name without the ending, and of every folder above it."""
    parts: dict[str, list[NDArray[np.intp]]] = {}
    for field, rows in fields.items():
        above, slash, name = field.rpartition("/")
        stem, dot, _ = name.rpartition(".")
        parts.setdefault(field, []).append(rows)
        if dot and stem:
            parts.setdefault(f"{above}{slash}{stem}", []).append(rows)
        while above:
            parts.setdefault(above, []).append(rows)
            above = above.rpartition("/")[0]
    return {name: rows[0] if len(rows) == 1 else np.sort(np.concatenate(rows)) for name, rows in parts.items()}
