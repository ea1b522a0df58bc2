"""What a benchmark is asked for, what it measures, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hemascope.app.bench_fields import FieldAnalyzer
from hemascope.app.bench_record import Measures, Metrics, table_digest
from hemascope.app.bench_report import WholeRun
from hemascope.app.embedding_decider import EmbeddingDecider
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.core.errors import DataSetError, InputError, WeightsError
from hemascope.core.ports import BagModel, CellClassifier, CellDenoiser, RedCellClassifier, TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.data.catalog import CROP_READERS, FIELD_READERS
from hemascope.data.folds import Fold
from hemascope.zoo.card import ModelCard

METHODS = ("network", "classical")
"""Segmenters that a benchmark can be run with; where the first is asked for, the second is its baseline."""


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """What to measure.

    Attributes
    ----------
    name
        A key of ``bench.BENCHMARKS``.
    root
        Folder of the public sets; None, for ``speed`` only, to measure on generated fields.
    split
        A value of the split column, or ``all``.
    segmenter
        One of ``METHODS``, or the folder of a model.
    limit
        At most this many images of each set; None for all.
    pictures
        Folder for pictures of every false positive and miss, for ``detection``, or for plots, for ``generative``; None
        for none.
    folds
        Folder of the run folders of a cross-validation, for ``detection`` and ``redcells``; None for none. What
        ``detection`` measures is then each fold's finder on what it was not trained on, all records together.
    large
        Whether ``speed`` analyzes one image of 10,000 x 10,000 pixels too.
    beside
        Further segmenters to measure beside it, such as ``stardist:FOLDER@0.25``; for ``bag-speed`` Python files.
    encoders
        Encoders to measure, by name or folder, for the benchmarks of encoders and of what stands on them; empty for
        the benchmark's own choice.
    recipe
        Recipe of a benchmark that trains; None for its default.
    runs
        Folder for the run folders of a benchmark that trains, from which it resumes; None for a default under ``runs``.
    protocol
        A part of ``generative``, or ``all``.
    denoiser
        Folder of a denoiser of images, for ``generative``; None for the shipped one.
    """

    name: str
    root: Path | None
    split: str = "test"
    segmenter: str = "network"
    limit: int | None = None
    pictures: Path | None = None
    folds: Path | None = None
    large: bool = False
    beside: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    recipe: Path | None = None
    runs: Path | None = None
    protocol: str = "all"
    denoiser: Path | None = None

    @property
    def command(self) -> str:
        """The command line, without paths of this machine."""
        parts = ["hemascope bench", self.name]
        parts += ["--data DIR"] if self.root else []
        parts += [f"--split {self.split}"]
        parts += [f"--segmenter {shown_name(self.segmenter)}"]
        parts += [f"--limit {self.limit}"] if self.limit is not None else []
        parts += ["--folds DIR"] if self.folds is not None else []
        parts += ["--large"] if self.large else []
        parts += [f"--beside {shown_name(name)}" for name in self.beside]
        parts += [f"--encoder {shown_name(name)}" for name in self.encoders]
        parts += [f"--recipe {self.recipe.name}"] if self.recipe is not None else []
        parts += ["--runs DIR"] if self.runs is not None else []
        parts += [f"--protocol {self.protocol}"] if self.protocol != "all" else []
        parts += [f"--denoiser {shown_name(str(self.denoiser))}"] if self.denoiser is not None else []
        return " ".join(parts)


def shown_name(method: str) -> str:
    """Return what a segmenter or encoder is called in a run: a model's folder by its name, without a path.

    The folder ``model`` of a run goes by the run's name.
    """
    peer, colon, model = method.partition(":")
    if not colon:
        path = Path(method)
        return path.absolute().parent.name if path.name == "model" else path.name
    return f"{peer}:{Path(model).name}"


def no_encoders(name: str) -> ProtocolEncoder:
    """Raise ``InputError``: these parts hold no encoders."""
    raise InputError(f"there is no encoder '{name}' among the parts of this benchmark; give it parts that have one")


def no_graphs(folder: Path, card: ModelCard, backend: str, precision: str, threads: int) -> TensorGraph:
    """Raise ``InputError``: these parts run no networks."""
    raise InputError(f"there is no backend '{backend}' among the parts of this benchmark; give it parts that have one")


def no_denoiser(folder: Path | None) -> CellDenoiser:
    """Raise ``WeightsError``: these parts hold no denoiser of images."""
    raise WeightsError("there is no denoiser of images among the parts of this benchmark; give it parts that have one")


def no_decider() -> EmbeddingDecider:
    """Raise ``InputError``: these parts hold no denoiser of embeddings."""
    raise InputError(
        "there is no denoiser of embeddings among the parts of this benchmark; give it parts that have one"
    )


def no_bag_model(folder: Path, threads: int) -> BagModel:
    """Raise ``InputError``: these parts hold no models of patients."""
    raise InputError("there is no model of patients among the parts of this benchmark; give it parts that have one")


def no_published_denoiser() -> CellDenoiser:
    """Raise ``InputError``: these parts hold no latent diffusion."""
    raise InputError("there is no latent diffusion among the parts of this benchmark; give it parts that have one")


@dataclass(frozen=True, slots=True)
class BenchmarkParts:
    """What is measured.

    Attributes
    ----------
    analyzer
        Name of a segmenter to an analyzer with it, under the default prior.
    classifier
        Makes the classifier under an even prior, which is that of the single cells it is measured on.
    whole_run
        Name of a segmenter to what `hemascope analyze` does with it.
    red_cells
        Makes the classifier of red cells.
    red_cell_recipe
        Gives the digest of the recipe that its weights were trained by.
    fold_analyzers
        A folder of run folders to an analyzer with each fold's finder.
    protocol_encoder
        Name or model folder to an encoder under test, with what its training saw.
    graph
        A model folder, its card, a backend, a precision and a number of threads to the network that answers.
    pixel_denoiser
        A model folder, or None for the shipped one, to the denoiser of images in it.
    embedding_decider
        Makes the denoiser of embeddings as it decides on crops; nothing in it remembers crops.
    published_denoiser
        Makes the published latent diffusion in its own size, with random values.
    bag_model
        A model folder and a number of threads to the ensemble that answers about patients.
    """

    analyzer: Callable[[str], FieldAnalyzer]
    classifier: Callable[[], CellClassifier]
    whole_run: Callable[[str], WholeRun]
    red_cells: Callable[[], RedCellClassifier]
    red_cell_recipe: Callable[[], str]
    fold_analyzers: Callable[[Path], Mapping[Fold, FieldAnalyzer]]
    protocol_encoder: Callable[[str], ProtocolEncoder] = no_encoders
    graph: Callable[[Path, ModelCard, str, str, int], TensorGraph] = no_graphs
    pixel_denoiser: Callable[[Path | None], CellDenoiser] = no_denoiser
    embedding_decider: Callable[[], EmbeddingDecider] = no_decider
    published_denoiser: Callable[[], CellDenoiser] = no_published_denoiser
    bag_model: Callable[[Path, int], BagModel] = no_bag_model


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a benchmark hands back before it is described."""

    data: dict[str, dict[str, object]]
    n: dict[str, int]
    measures: Measures
    baselines: dict[str, Metrics]
    models: tuple[ModelIdentity, ...]
    notes: dict[str, object]


def needed_root(request: BenchmarkRequest) -> Path:
    """Return the folder of the public sets; raise ``DataSetError`` where none was named."""
    if request.root is None:
        raise DataSetError(
            f"the benchmark '{request.name}' needs the public data sets; "
            "name their folder with --data or set HEMASCOPE_DATA to it"
        )
    return request.root


def describe_set(name: str, root: Path, version: str) -> dict[str, object]:
    """Return label version, license and digest of the tables of a set."""
    card = FIELD_READERS[name][0] if name in FIELD_READERS else CROP_READERS[name][0]
    return {"version": version, "license": card.license, "tables_sha256": table_digest(root / name)}
