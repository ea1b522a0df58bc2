"""`hemascope embed`: images in, embeddings of their cells out, each computed once."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemascope.cli.progress import progress_bar

if TYPE_CHECKING:
    from hemascope.app.embed import EmbedSummary
    from hemascope.app.embed_request import EmbedRequest

SOME_FAILED = 1


def embed(
    encoder: Annotated[
        str, typer.Option("--encoder", metavar="NAME", help="An encoder by name, or the folder of one.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the embeddings; made if missing.")],
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH...]", help="Images, folders or globs of field images.")
    ] = None,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="Micrometers per pixel of every field; otherwise read or estimated.")
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option("--segmenter", help="network (default), a model folder, or classical (no weights).")
    ] = None,
    outlines: Annotated[
        Path | None,
        typer.Option("--outlines", help="Outlines made elsewhere instead of a finder's: a file or a folder of them."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME=KIND", help="What a class in them means; '*' for all others."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="white_cell (default), red_cell or platelet; may be given again."),
    ] = None,
    single_cells: Annotated[
        bool, typer.Option("--single", help="Each image shows one cell: take it whole, or around its middle.")
    ] = False,
    data_set: Annotated[
        str | None, typer.Option("--data-set", metavar="NAME", help="A public set of single cells instead of images.")
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="S", help="A value of its split column, or all.")] = "all",
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", envvar="HEMASCOPE_DATA", help="Folder with a folder for every set."),
    ] = None,
    crop_um: Annotated[
        float | None,
        typer.Option("--crop-um", min=1, max=1000, help="Width of a crop in um; otherwise the encoder's own."),
    ] = None,
    backend: Annotated[
        str, typer.Option("--backend", help="What runs the encoder: onnxruntime, openvino or torch.")
    ] = "onnxruntime",
    precision: Annotated[
        str, typer.Option("--precision", help="fp32; bf16 (openvino, torch); int8 where the model has 8-bit files.")
    ] = "fp32",
    table_format: Annotated[str, typer.Option("--format", help="h5ad, or zarr.")] = "h5ad",
    store: Annotated[
        Path | None,
        typer.Option(
            "--store", metavar="DIR", help="Where embeddings are kept between runs; else in the output folder."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Embed every cell of field images, or of a public set; what was embedded before is taken from there.

    Exit status: 0 every file was embedded; 1 some could not be, or the result could not be written; 2 the command was
    wrong or no image was found; 130 interrupted: the same command goes on where it was.
    """
    from hemascope import wiring
    from hemascope.app.embed_request import EmbedRequest, embed_images, request_images

    request = EmbedRequest(
        paths=tuple(paths or ()), mpp=mpp, segmenter=wiring.segmenter_name(segmenter), outlines=outlines,
        classes=tuple(classes or ()), kinds=tuple(kinds or ()), data_set=data_set, split=split, data=data,
        crop_um=crop_um, out=out, store=store, single_cells=single_cells,
        command=shlex.join(["hemascope", *sys.argv[1:]]),
    )  # fmt: skip
    sink = wiring.build_embeddings_sink(out, table_format)
    built = wiring.build_encoder(encoder, backend=backend, precision=precision)
    images = request_images(request, built.spec, wiring.build_analyzer)
    with progress_bar("embedding", len(images), quiet=quiet) as bar:
        summary = embed_images(request, images, built, sink, bar.advance)
    for failed in summary.failed:
        typer.echo(f"hemascope: {failed.message}", err=True)
    if not quiet:
        _print_summary(summary, request, built.spec.dimension)
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _print_summary(summary: EmbedSummary, request: EmbedRequest, dimension: int) -> None:
    from rich.console import Console

    console = Console()
    damaged = f" ({summary.remade} of them in the place of damaged ones)" if summary.remade else ""
    console.print(
        f"{summary.cells} cells of {summary.images} images, {dimension} numbers each; "
        f"{summary.computed} images computed{damaged}, {summary.reused} taken from {request.store_folder}.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"Embeddings: {summary.path}", highlight=False, soft_wrap=True)
