"""Priors and grading tables by name or file."""

from __future__ import annotations

from pathlib import Path

from hemascope.core.errors import RecipeError
from hemascope.recipes import Grading, Prior, load_recipe

PRIORS = Path(__file__).parent.parent / "priors"


GRADINGS = Path(__file__).parent.parent / "gradings"


def load_prior(name: str) -> Prior:
    """Return a shipped prior by name, or one from a TOML file.

    Raises
    ------
    RecipeError
        If there is neither, or the file is malformed.
    """
    shipped = PRIORS / f"{name}.toml"
    if shipped.is_file():
        return load_recipe(shipped, Prior)
    if name.endswith(".toml"):
        return load_recipe(Path(name), Prior)
    known = ", ".join(sorted(path.stem for path in PRIORS.glob("*.toml")))
    raise RecipeError(f"there is no prior '{name}'; choose one of {known}, or name a .toml file (see docs/recipes.md)")


def load_grading(name: str) -> Grading:
    """Return a shipped grading table by name, or one from a TOML file.

    Raises
    ------
    RecipeError
        If there is neither, or the file is malformed.
    """
    shipped = GRADINGS / f"{name}.toml"
    if shipped.is_file():
        return load_recipe(shipped, Grading)
    if name.endswith(".toml"):
        return load_recipe(Path(name), Grading)
    known = ", ".join(sorted(path.stem for path in GRADINGS.glob("*.toml")))
    raise RecipeError(
        f"there is no grading table '{name}'; choose one of {known}, or name a .toml file (see docs/recipes.md)"
    )
