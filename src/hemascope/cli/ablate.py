"""`hemascope ablate`: a recipe for models of patients, and what each change to it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemascope.cli.progress import progress_bar

if TYPE_CHECKING:
    from hemascope.app.ablation import Ablation
    from hemascope.app.ablation_rows import Group


def ablate(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, such as recipes/myeloma.toml.")],
    cohort: Annotated[Path, typer.Option("--cohort", metavar="MANIFEST", help="A CSV table with one row a smear.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Tables, plots and run folders; else runs/NAME-ablation. Resumes."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="GROUPS",
            help="Of aggregators, tasks, variants, members, imbalance, counts, with commas between; else all there is.",
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", metavar="RECIPE", help="A whole recipe of the same tasks to compare too; repeatable."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="N", min=1, help="In the place of the recipe's, for every row.")
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Patients to compare on; `test` after everything is chosen.")
    ] = "out_of_fold",
    resamples: Annotated[int, typer.Option("--resamples", min=100, max=100_000, help="Of the bootstrap.")] = 2000,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors and the path of the page.")] = False,
) -> None:
    """Train a recipe and its changes on the same patients in the same folds, and compare. Research use only."""
    from hemascope.app.ablation import AblationRequest, run_ablation
    from hemascope.app.ablation_tables import write_ablation
    from hemascope.recipes import load_recipe
    from hemascope.recipes.bags import BagTrainingRecipe

    base = load_recipe(recipe, BagTrainingRecipe)
    if folds is not None:
        base = base.model_copy(update={"folds": folds})
    request = AblationRequest(
        recipe=base,
        manifest=cohort,
        out=out or Path("runs") / f"{base.name}-ablation",
        groups=None if only is None else _groups(only),
        others=tuple(load_recipe(path, BagTrainingRecipe) for path in beside or []),
        split=split,
        resamples=resamples,
    )
    with progress_bar("comparing models of patients", 1, quiet=quiet) as bar:
        done = run_ablation(request, bar.move_within)
    page = write_ablation(done)
    if not quiet:
        _print_tables(done)
        typer.echo("Research use only: not for diagnosis.")
    typer.echo(str(page))


def _groups(only: str) -> frozenset[Group]:
    from hemascope.app.ablation_rows import Group
    from hemascope.core.errors import RecipeError

    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [str(group) for group in Group if group is not Group.RECIPES]
    strange = [name for name in names if name not in known]
    if strange or not names:
        raise RecipeError(f"--only takes some of {', '.join(known)}, with commas between, not '{only}'")
    return frozenset(Group(name) for name in names)


def _print_tables(ablation: Ablation) -> None:
    from rich.console import Console
    from rich.table import Table

    from hemascope.app.ablation_tables import page_rows, remarks_of

    console = Console()
    for remark in remarks_of(ablation):
        console.print(remark)
    for figure in ablation.figures:
        unit = f", {figure.unit}" if figure.unit else ""
        table = Table(title=f"{figure.task}: {figure.name}{unit}", title_justify="left")
        for name in ("row", "value", "minus own", "p (Holm)", "times own"):
            table.add_column(name, justify="left" if name == "row" else "right")
        for group, row, value, difference, _, p_holm, _, times in page_rows(ablation, figure):
            table.add_row(f"{group}: {row}" if group else row, value, difference, p_holm, times)
        console.print(table)
    for result in ablation.rows:
        if result.failure:
            console.print(f"Failed: {result.row.name}: {result.failure}", markup=False)
