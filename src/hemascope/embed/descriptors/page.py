"""The list as the tables of docs/descriptors.md."""

from __future__ import annotations

from collections.abc import Sequence

from hemascope.embed.descriptors.descriptor import Descriptor


def markdown_tables(descriptors: Sequence[Descriptor]) -> str:
    """Return one table a family, in order."""
    parts = []
    for family in dict.fromkeys(row.family for row in descriptors):
        rows = [row for row in descriptors if row.family == family]
        lines = [
            f"### {family.capitalize()} ({len(rows)})",
            "",
            "| name | unit | formula | source |",
            "|---|---|---|---|",
        ]
        lines += [f"| `{r.name}` | {r.unit} | {_cell(r.formula)} | {_cell(r.source)} |" for r in rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
