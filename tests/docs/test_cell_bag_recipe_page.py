"""docs/recipes.md names every key of the recipe of encoders trained with what stands on them."""

from __future__ import annotations

import json

from pages import read, rows, section
from pydantic_core import PydanticUndefined

from hemascope.recipes.cell_bags import CellBagRecipe


def test_every_key_stands_there_with_its_default() -> None:
    described = [
        (row[0].strip("`"), row[1].strip("`")) for row in rows(section(read("docs/recipes.md"), "CellBagRecipe"))
    ]
    assert sorted(described) == sorted(
        (name, "required" if field.default is PydanticUndefined else json.dumps(field.default))
        for name, field in CellBagRecipe.model_fields.items()
    )
