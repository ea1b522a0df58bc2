"""``embeddings.h5ad`` or ``embeddings.zarr``: feature vectors of many images as AnnData, for the extra ``scverse``."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from hemascope.core.errors import InputError, MissingExtraError, OutputError
from hemascope.core.feature_bag import FeatureBag
from hemascope.export.columns import clean_text
from hemascope.export.spool import Spool, writing

if TYPE_CHECKING:
    import anndata
    import pandas as pd

TableFormat = Literal["h5ad", "zarr"]

_NEEDED = {"h5ad": ("anndata", "h5py"), "zarr": ("anndata", "zarr")}
_OF_ZARR = ("zarr.json", ".zgroup", ".zattrs")


class EmbeddingsSink:
    """Writes embeddings as AnnData: vectors in ``X``, facts in ``obs``, centers in ``obsm['spatial']``.

    Vectors wait in a file beside the target, so that only what is known of the rows is held in memory.

    Parameters
    ----------
    folder
        Where ``embeddings.h5ad`` or ``embeddings.zarr`` is to stand; made if missing.
    table_format
        Which of the two.

    Raises
    ------
    MissingExtraError
        If what writes it is not installed.
    OutputError
        If the folder cannot be made, or holds a folder of that name that is not ours.
    """

    def __init__(self, folder: Path, table_format: TableFormat = "h5ad") -> None:
        name = f"embeddings.{table_format}"
        if any(importlib.util.find_spec(module) is None for module in _NEEDED[table_format]):
            raise MissingExtraError(name, "scverse")
        target = folder / name
        with writing(target):
            folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(target)
        self._spool = Spool(target)
        self._format = table_format
        self._bags: list[_Rows] = []
        self._dimension: int | None = None

    def add(self, bag: FeatureBag) -> None:
        """Take the rows of one image.

        Raises
        ------
        InputError
            If its vectors or columns are not like those of the images before.
        OutputError
            If they cannot be kept.
        """
        if len(bag):
            self._check(bag)
            with writing(self._spool.target), (self._spool.folder / "values").open("ab") as file:
                file.write(np.ascontiguousarray(bag.embeddings.values, np.float32).tobytes())
        elif self._dimension is None and bag.embeddings.values.shape[1]:
            self._dimension = bag.embeddings.values.shape[1]
        self._bags.append(_Rows(bag))

    def finish(self, facts: Mapping[str, object]) -> Path:
        """Write the artefact whole and return its path.

        Parameters
        ----------
        facts
            Goes to ``uns``: text, numbers, lists of text, and mappings of these.
        """
        draft = self._spool.folder / self._spool.target.name
        try:
            with writing(self._spool.target):
                table = self._table(facts)
                if self._format == "h5ad":
                    table.write_h5ad(draft)
                else:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of a change of its default format, which it reads as well
                        table.write_zarr(draft)
                del table
                return self._place(draft)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Remove anything unfinished."""
        self._spool.remove()

    def _check(self, bag: FeatureBag) -> None:
        length = bag.embeddings.values.shape[1]
        if self._dimension not in (None, length):
            raise InputError(
                f"{bag.name} has vectors of {length} numbers, those before have {self._dimension}: one table holds "
                "the vectors of one encoder; write them apart"
            )
        self._dimension = length
        first = next((rows for rows in self._bags if rows.ids), None)
        if first and (set(first.columns), first.unit, first.centers is None) != (
            set(bag.columns), bag.unit, bag.centers is None,
        ):  # fmt: skip
            raise InputError(f"{bag.name} tells other things of its rows than {first.name}; write them apart")

    def _table(self, facts: Mapping[str, object]) -> anndata.AnnData:
        import anndata
        import pandas as pd

        rows = [bag for bag in self._bags if bag.ids]
        ids = [clean_text(row_id) for bag in rows for row_id in bag.ids]
        shape = (len(ids), self._dimension or 0)
        obs = pd.DataFrame(dict(_columns(rows)), index=pd.Index(ids, dtype=object))
        centers = [bag.centers for bag in rows if bag.centers is not None]
        return anndata.AnnData(
            X=self._values(shape),
            obs=obs,
            var=pd.DataFrame(index=pd.Index([f"embedding_{i}" for i in range(shape[1])], dtype=object)),
            obsm={"spatial": np.concatenate(centers)} if centers else {},
            uns=_plain(dict(facts) | ({"spatial_unit": rows[0].unit} if centers else {})),
        )

    def _values(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        if not shape[0] or not shape[1]:
            return np.zeros(shape, np.float32)
        # As a plain array, which AnnData knows how to write: its pages are still read from the file when asked for.
        return np.asarray(np.memmap(self._spool.folder / "values", np.float32, mode="r", shape=shape))

    def _place(self, draft: Path) -> Path:
        target = self._spool.target
        if self._format == "zarr":  # a folder cannot take the place of another in one step
            _refuse_foreign(target)
            if target.is_dir():
                target.replace(self._spool.folder / "old")
            draft.replace(target)
            self._spool.remove()
            return target
        return self._spool.place(draft.name)


class _Rows:
    """What is held of a bag until the end: all but its vectors."""

    def __init__(self, bag: FeatureBag) -> None:
        self.name = bag.name
        self.ids = bag.embeddings.cell_ids
        self.columns = dict(bag.columns)
        self.centers = bag.centers
        self.unit = bag.unit


def _columns(rows: Sequence[_Rows]) -> Iterator[tuple[str, pd.Series | pd.Categorical | NDArray[np.generic]]]:
    """Yield every column over all images; text becomes categories."""
    import pandas as pd

    for name in rows[0].columns if rows else ():
        values = np.concatenate([bag.columns[name] for bag in rows])
        if values.dtype.kind == "U":
            yield name, pd.Categorical([clean_text(value) for value in values.tolist()])
        else:
            yield name, values


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    """Return facts as AnnData stores them: what is None is left out, lists of text become arrays."""
    plain: dict[str, object] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            plain[name] = _plain(value)
        elif isinstance(value, str):
            plain[name] = clean_text(value)
        elif isinstance(value, list | tuple):
            plain[name] = np.array([clean_text(str(item)) for item in value], dtype=object)
        elif value is not None:
            plain[name] = value
    return plain


def _refuse_foreign(target: Path) -> None:
    """Refuse to replace a folder that is no Zarr store."""
    if target.is_dir() and (target.suffix != ".zarr" or not any((target / name).exists() for name in _OF_ZARR)):
        raise OutputError(f"{target} is a folder that is not ours; move it away, or choose another place with --out")
