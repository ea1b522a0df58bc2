"""Tables of diseases by name or file, and probabilities that agree at every level of one."""

from __future__ import annotations

from pathlib import Path

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
