"""What a report is made of: one record a field, and the findings over all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hemascope.core.cell import Cell, Morphometry
from hemascope.core.explanation import Counterfactual
from hemascope.core.morphology import (
    PlateletClump,
    PlateletCounts,
    PlateletFindings,
    RedCellCounts,
    RedCellMorphology,
)
from hemascope.core.patient_findings import PatientFindings
from hemascope.core.prediction import CellAttributes, CellPrediction, RedCellPrediction
from hemascope.core.provenance import Provenance
from hemascope.core.rates import Rate
from hemascope.core.smear import Field, QcVerdict
from hemascope.core.taxonomy import UNIDENTIFIED, CellKind, CellType


@dataclass(frozen=True, slots=True)
class CellResult:
    """All that is known of one cell.

    Attributes
    ----------
    cell
        Where it is.
    morphometry
        Its measures.
    prediction
        Its type; None for red cells and platelets.
    red_cell
        The morphology of a whole red cell; None for other kinds, and for red cells that the border cuts.
    attributes
        What a white cell looks like; None where its type is not asked, or nothing tells.
    """

    cell: Cell
    morphometry: Morphometry
    prediction: CellPrediction | None = None
    red_cell: RedCellPrediction | None = None
    attributes: CellAttributes | None = None

    @property
    def label(self) -> str | None:
        """The type of a white cell, or ``unidentified``; None for red cells and platelets.

        A white cell that no classifier answered for is unidentified, as is one taken for a platelet: what has a
        nucleus is no platelet, so the answer cannot stand.
        """
        if self.cell.kind is not CellKind.WHITE_CELL:
            return None
        label = self.prediction.label if self.prediction else UNIDENTIFIED
        return UNIDENTIFIED if label == CellType.PLATELET else label


@dataclass(frozen=True, slots=True, eq=False)
class FieldResult:
    """One analyzed field with its pixels; it lives only until every exporter has seen it.

    Attributes
    ----------
    field
        With its scale and pixels.
    verdict
        Quality control.
    cells
        Every cell, in order of ids.
    seconds
        Stage to the time it took.
    clumps
        Platelets that lie together.
    """

    field: Field
    verdict: QcVerdict
    cells: tuple[CellResult, ...]
    seconds: dict[str, float]
    clumps: tuple[PlateletClump, ...] = ()

    def count(self, kind: CellKind) -> int:
        """Return how many cells of ``kind`` were found."""
        return sum(result.cell.kind is kind for result in self.cells)


@dataclass(frozen=True, slots=True)
class GenerativeCounts:
    """What a generative model says of the nucleated cells of one field, as counts.

    Attributes
    ----------
    judged
        Cells that it was asked of.
    unlike
        Those of them that it explains badly: unlike everything it learned.
    disputed
        Those of them that it takes for another type than the classifier does.
    """

    judged: int = 0
    unlike: int = 0
    disputed: int = 0


@dataclass(frozen=True, slots=True)
class GenerativeFindings:
    """What a generative model says of the nucleated cells of all fields that did not fail quality control.

    Attributes
    ----------
    judged
        Cells that it was asked of; at least 1.
    unlike, disputed
        Shares of them in percent, as in ``GenerativeCounts``.
    use
        ``beside``: it decides nothing; ``cascade``: it is heard where the classifier is uncertain.
    abstains
        Whether cells that it doubts were left unidentified.
    """

    judged: int
    unlike: Rate
    disputed: Rate
    use: str
    abstains: bool


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """What is kept of a field after its pixels are gone.

    Attributes
    ----------
    id, path, sha256
        As in ``Field``; ``path`` as text, "" where there is none.
    width, height
        Pixels.
    mpp, scale_source
        The scale and where it came from.
    verdict
        Quality control.
    counts
        ``CellKind`` value to number of cells, every kind present.
    types
        ``CellType`` value or ``unidentified`` to number of nucleated cells.
    notes
        What reading did to the pixels.
    red_cells, platelets
        Their types, sizes and clumps, as sums.
    set_sizes
        Number of types in a prediction set, as text, to number of nucleated cells; empty where there are no sets.
    subtypes
        Subtype to number of cells; empty where none was told.
    generative
        What a generative model says, as counts; all 0 where none was asked.
    """

    id: str
    path: str
    sha256: str
    width: int
    height: int
    mpp: float
    scale_source: str
    verdict: QcVerdict
    counts: dict[str, int]
    types: dict[str, int]
    notes: tuple[str, ...] = ()
    red_cells: RedCellCounts = field(default_factory=RedCellCounts)
    platelets: PlateletCounts = field(default_factory=PlateletCounts)
    set_sizes: dict[str, int] = field(default_factory=dict)
    subtypes: dict[str, int] = field(default_factory=dict)
    generative: GenerativeCounts = field(default_factory=GenerativeCounts)


@dataclass(frozen=True, slots=True)
class FailedInput:
    """A file that could not be analyzed, and why; it is listed, never skipped in silence."""

    path: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Differential:
    """The white cell differential and the counts beside it.

    Attributes
    ----------
    white_cells
        Number of white cells: every nucleated cell but erythroblasts, unidentified ones included.
    types
        Each white cell type and ``unidentified`` to its share of ``white_cells`` in percent.
    erythroblasts
        Per 100 white cells.
    platelets_per_field, red_cells_per_field, platelets_per_1000_red_cells
        Counted apart.
    prior
        Name of the class prior and the share it gives to each type.
    prior_shares
        ``CellType`` value to assumed share; sums to 1.
    """

    white_cells: int
    types: dict[str, Rate]
    erythroblasts: Rate
    platelets_per_field: Rate
    red_cells_per_field: Rate
    platelets_per_1000_red_cells: Rate
    prior: str
    prior_shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class SmearReport:
    """The whole answer.

    Attributes
    ----------
    title
        What was analyzed, in words.
    fields
        Every field in the order read.
    failed
        Every input that could not be read.
    differential
        Over all fields that did not fail quality control.
    excluded_fields
        Ids of fields whose cells are listed but left out of the differential (quality: fail).
    statements
        Limits a reader must know, in words: estimated scale, no blasts seen, research use only.
    provenance
        What made it.
    red_cells, platelets
        Findings on them; None where nothing computed them.
    subtypes
        ``CellType`` value to each of its subtypes and its share of that type in percent, over all fields that did not
        fail quality control; types without a cell that was told are left out.
    generative
        What a generative model says of the nucleated cells; None where none was asked.
    explanations
        What would have to change for single cells to be of another type; empty where none was asked for.
    patient
        What a model of patients says of all cells together; None where none was given.
    """

    title: str
    fields: tuple[FieldSummary, ...]
    failed: tuple[FailedInput, ...]
    differential: Differential
    excluded_fields: tuple[str, ...]
    statements: tuple[str, ...]
    provenance: Provenance
    red_cells: RedCellMorphology | None = None
    platelets: PlateletFindings | None = None
    subtypes: dict[str, dict[str, Rate]] = field(default_factory=dict)
    generative: GenerativeFindings | None = None
    explanations: tuple[Counterfactual, ...] = ()
    patient: PatientFindings | None = None
