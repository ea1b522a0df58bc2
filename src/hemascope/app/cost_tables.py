"""Tables of the benchmark ``diffusion-cost``."""

from __future__ import annotations

from hemascope.app.plain_table import Document, Figures, PlainTable


def cost_tables(document: Document) -> tuple[PlainTable, ...]:
    """Return the cost of the published procedure, that of embeddings beside it, and the machine's speed in between."""
    own = Figures(document["metrics"], document["intervals"])
    published = (
        ("Trials", own.count("published.trials")),
        ("Passes of the U-Net", own.count("published.passes")),
        ("Encodings", own.count("published.encodings")),
        ("Seconds a pass", own.text("published.pass_seconds")),
        ("Seconds an encoding", own.text("published.encoding_seconds")),
        ("Seconds a cell, all of it", own.text("published.cell_seconds", 1)),
    )
    rows = tuple(
        (
            title,
            *(own.text(f"embedding.{name}.{figure}_ms") for figure in ("encoding", "decision", "cell")),
            *(own.text(f"embedding.{name}.published_over_{figure}", 0) for figure in ("decision", "cell")),
        )
        for name, title in (
            ("together", f"{document['n']['pbc_acevedo_128']} cells together"),
            ("single", "One by one"),
        )
    )
    columns = ("Cells", "Encoding, ms", "Decision, ms", "Both, ms", "Published / decision", "Published / both")
    about = (
        ("Passes a cell", own.text("embedding.passes", 1)),
        ("Trials a cell", own.text("embedding.trials", 1)),
        ("Accuracy on these cells", own.text("embedding.accuracy")),
        ("Rule", str(document["provenance"]["rule"])),
        *(
            (f"GFLOPS {when}", own.text(f"calibration.gflops_{place}", 0))
            for place, when in enumerate(("at the start", "after the published procedure", "at the end"), 1)
        ),
    )
    return (
        PlainTable(
            "One cell by the published procedure at its least: its own layout with random weights, its own rule",
            ("Figure", "Value"),
            published,
        ),
        PlainTable(
            "Milliseconds a cell by the denoiser of embeddings, and how many times that is cheaper", columns, rows
        ),
        PlainTable("How it was decided, and the machine meanwhile", ("Figure", "Value"), about),
    )
