"""``docs/benchmarks.md`` out of the committed runs: ``python -m hemascope.app.benchmark_page docs/benchmarks``.

Nobody writes figures into that page by hand; a test regenerates it and compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hemascope.app.bench_record import write_text
from hemascope.app.benchmark_table import benchmark_tables
from hemascope.app.plain_table import Document, PlainTable
from hemascope.core.errors import HemascopeError, InputError

_HEAD = """# Benchmarks

This page is generated from the JSON files in `docs/benchmarks/` by
`python -m hemascope.app.benchmark_page docs/benchmarks`; do not edit it. Every file holds the command, commit and time
of its run. What the keys mean stands in [data.md](data.md#benchmark-keys).

Square brackets hold 95% intervals: exact (Clopper-Pearson) for shares of counts, else from the bootstrap over fields
or, for single cells, over groups of near-duplicates. A dash stands where the labels do not define a figure. Research
software: none of this says how well it does on anybody's patients.
"""


def read_runs(folder: Path) -> dict[str, Document]:
    """Return file stem to run, in the order of the names.

    Raises
    ------
    InputError
        If a file is no JSON document of a run.
    """
    runs: dict[str, Document] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            runs[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is no benchmark run ({error}); write it anew with hemascope bench") from error
    return runs


def render_page(runs: Mapping[str, Document]) -> str:
    """Return the page in Markdown.

    Raises
    ------
    InputError
        If a run lacks a part that the page shows.
    """
    sections = [_HEAD]
    for stem, document in runs.items():
        try:
            sections.append(_section(stem, document))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{stem}.json is no benchmark run ({error!r}); write it anew with hemascope bench"
            ) from error
    if not runs:
        sections.append("No run is committed yet.\n")
    return "\n".join(sections)


def write_page(folder: Path) -> Path:
    """Write the page of the runs in ``folder`` beside that folder, as ``<folder>.md``, and return its path.

    Raises
    ------
    InputError
        If a file in the folder is no run.
    OutputError
        If the page cannot be written.
    """
    page = folder.with_name(f"{folder.name}.md")
    write_text(page, render_page(read_runs(folder)))
    return page


def main(arguments: Sequence[str]) -> int:
    """Write the page of the folder named; return the exit status."""
    if len(arguments) != 1:
        print("usage: python -m hemascope.app.benchmark_page FOLDER", file=sys.stderr)
        return 2
    try:
        print(write_page(Path(arguments[0])))
    except HemascopeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _section(stem: str, document: Document) -> str:
    provenance = document["provenance"]
    counts = ", ".join(f"{name} {count}" for name, count in document["n"].items())
    models = "; ".join(f"{m['name']} {m['version']} ({m['backend']})" for m in provenance["models"])
    facts = [
        f"`{provenance['command']}`",
        "",
        f"- Commit {provenance['commit']}, {provenance['started']}, {provenance['seconds']} s",
        f"- Split: {document['split']}. Counts: {counts}",
        f"- Data: {'; '.join(_described(name, about) for name, about in document['data'].items())}",
        f"- Answered by: {models}",
        f"- Machine: {provenance['machine']}, threads {provenance['threads']}, "
        f"{document['calibration_gflops']} GFLOPS in a float32 matrix product",
    ]
    if provenance.get("failed"):
        facts.append(f"- Could not be analyzed: {provenance['failed']}")
    tables = "\n".join(_markdown(table) for table in benchmark_tables(document) if table.rows)
    return f"## {stem}\n\n" + "\n".join(facts) + f"\n\n{tables}"


def _described(name: str, about: Mapping[str, object]) -> str:
    version = f" ({about['version']})" if about["version"] else ""
    return f"{name}{version}, {about['license']}"


def _markdown(table: PlainTable) -> str:
    lines = [f"### {table.title}", ""]
    rows = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
