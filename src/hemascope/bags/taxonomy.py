"""Tables of diseases by name or file, and probabilities that agree at every level of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemascope.bags.hierarchy import fine_within
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.core.errors import RecipeError
from hemascope.recipes import load_recipe
from hemascope.recipes.taxonomy import TaxonomyTable

TABLES = Path(__file__).parent / "tables"


def load_taxonomy(name_or_path: str | Path) -> DiseaseTaxonomy:
    """Return a shipped table of diseases by name, or one from a TOML file.

    Raises
    ------
    RecipeError
        If there is neither, or the file is malformed or contradicts itself.
    """
    name = str(name_or_path)
    shipped = TABLES / f"{name}.toml"
    if shipped.is_file():
        return load_recipe(shipped, TaxonomyTable).taxonomy()
    if name.endswith(".toml"):
        return load_recipe(Path(name), TaxonomyTable).taxonomy()
    known = ", ".join(sorted(path.stem for path in TABLES.glob("*.toml")))
    raise RecipeError(
        f"there is no table of diseases '{name}'; choose one of {known}, or name a .toml file (see docs/taxonomy.md)"
    )


def roll_up(fine: NDArray[np.float64], taxonomy: DiseaseTaxonomy) -> NDArray[np.float64]:
    """Return the probabilities of coarse classes: each is the sum over its fine classes.

    Parameters
    ----------
    fine
        P x F probabilities of the fine classes, in the order of ``taxonomy.fine``.
    taxonomy
        What belongs to what.

    Returns
    -------
    P x K, in the order of ``taxonomy.coarse``; a row sums to what the row of ``fine`` sums to.

    Raises
    ------
    ValueError
        If there is not one column a fine class.
    """
    _check(fine, taxonomy.fine, "fine classes")
    return fine @ _membership(taxonomy)


def agree(
    coarse: NDArray[np.float64], fine: NDArray[np.float64], taxonomy: DiseaseTaxonomy
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the answers of two heads such that they agree: every coarse class is the sum of its fine classes.

    The coarse head decides between coarse classes, the fine one inside each: P(fine) = P(coarse) P(fine | coarse).

    Parameters
    ----------
    coarse, fine
        P x K and P x F probabilities, in the orders of ``taxonomy``.
    taxonomy
        What belongs to what.

    Returns
    -------
    The coarse probabilities as they were, and the fine ones made to agree. Where the fine head gives nothing to any
    fine class of a coarse one, they share its probability evenly.

    Raises
    ------
    ValueError
        If there is not one column a class, or the heads answer for different numbers of patients.
    """
    _check(coarse, taxonomy.coarse, "coarse classes")
    _check(fine, taxonomy.fine, "fine classes")
    if len(coarse) != len(fine):
        raise ValueError(f"{len(coarse)} rows of coarse classes do not fit {len(fine)} of fine ones")
    return coarse, fine_within(coarse, fine, _membership(taxonomy))


def malignancy(coarse: NDArray[np.float64], taxonomy: DiseaseTaxonomy) -> NDArray[np.float64]:
    """Return P probabilities of any malignant class: the sum over the malignant coarse classes.

    Parameters
    ----------
    coarse
        P x K probabilities, in the order of ``taxonomy.coarse``.
    taxonomy
        Says which classes are malignant.

    Raises
    ------
    ValueError
        If there is not one column a coarse class.
    """
    _check(coarse, taxonomy.coarse, "coarse classes")
    counted = np.array([c.malignant for c in taxonomy.coarse_classes])
    return np.asarray(coarse[:, counted].sum(axis=1))


def _membership(taxonomy: DiseaseTaxonomy) -> NDArray[np.float64]:
    """Return F x K: 1 where a fine class belongs to a coarse one."""
    if not taxonomy.fine_classes:
        raise ValueError(f"the table of diseases {taxonomy.name} has no fine classes")
    return np.array([[float(f.coarse == name) for name in taxonomy.coarse] for f in taxonomy.fine_classes])


def _check(values: NDArray[np.float64], names: tuple[str, ...], what: str) -> None:
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"{len(names)} {what} need as many columns, not {values.shape}")
