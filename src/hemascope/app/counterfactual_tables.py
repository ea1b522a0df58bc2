"""The benchmark of counterfactuals as a table of text."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable
from hemascope.app.target_cells import PBC

ROWS = {
    "gain_where_marked": "Gain, change where it is marked",
    "gain_where_moved": "Gain, the same moved elsewhere",
    "gain_elsewhere": "Gain, change at as many other pixels",
    "gain_where_published": "Gain, change where the published map is strongest",
    "gain_everywhere": "Gain, the whole change",
    "share_over_moved": "Cells in which marked gains more than moved",
    "gain_over_published": "Lead of marked over published",
    "marked_share": "Marked share of the view",
    "edited_is_taken_for_target": "Edited cells taken for the other type",
    "edited_leans_to_target": "Edited cells explained better as it",
    "probability_gained": "Probability gained by the edit",
}
"""Keys to what they are, in order."""


def counterfactual_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the figures with their intervals."""
    figures = Figures(document["metrics"], document["intervals"])
    rows = tuple((title, figures.text(f"{PBC}.{key}", 4)) for key, title in ROWS.items())
    return (PlainTable(f"What would have to change: {document['n'][PBC]} cells", ("Figure", "Value"), rows),)
