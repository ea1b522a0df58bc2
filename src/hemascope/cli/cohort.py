"""`hemascope cohort`: patients put together from manifests, and what is wrong with them."""

from __future__ import annotations

import typer

app = typer.Typer(help="Patients as bags of embedded cells. Research use only.", no_args_is_help=True)


@app.callback()
def cohort() -> None:
    """Look at cohorts of patients. Research use only."""
