"""The shipped finder: one network pass over tiles of a field, at the scale it was trained at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemascope.cells.outlines import cells_from_outlines
from hemascope.cells.star_decode import KINDS, Candidates, decode, suppress
from hemascope.cells.white_cell_body import WhiteCellBody, outline_body
from hemascope.cells.working_view import WorkingView
from hemascope.core.cell import Cell, Nucleus
from hemascope.core.geometry import Polygon
from hemascope.core.ports import TensorGraph
from hemascope.core.provenance import ModelIdentity
from hemascope.core.smear import Field
from hemascope.core.taxonomy import CellKind

GRANULE = 32
"""The network halves its input five times: sides are padded to multiples of this."""

OPERATING_SCORE = 0.5
"""The score that a kind's threshold becomes."""


@dataclass(frozen=True, slots=True)
class FinderSpec:
    """What the network was trained for.

    Attributes
    ----------
    mpp
        Um per pixel of its input.
    rays
        Directions of an outline.
    stride
        Pixels of its input for each place of its maps.
    thresholds
        The least heat of each kind, chosen on validation splits; it becomes a score of 0.5.
    tile, overlap
        Side of a tile and what neighbors share, in pixels of its input; the overlap holds the largest cell.
    """

    mpp: float
    rays: int
    stride: int
    thresholds: dict[CellKind, float] = field(default_factory=lambda: dict.fromkeys(CellKind, 0.3))
    tile: int = 768
    overlap: int = 128


class NetworkSegmenter:
    """Finds cells with a trained network; a ``Segmenter``.

    Parameters
    ----------
    graph
        Gives heat N x kinds x h x w in 0..1, radii N x rays x h x w in pixels of its input, and the tissues nucleus and
        white cell N x 2 x h x w in 0..1.
    spec
        What it was trained for.
    """

    def __init__(self, graph: TensorGraph, spec: FinderSpec) -> None:
        self._graph = graph
        self._spec = spec
        self._thresholds = np.array([spec.thresholds[kind] for kind in KINDS], np.float32)

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._graph.identity

    def find(self, field: Field) -> list[Cell]:
        """Return every cell of a field whose scale is known.

        Raises
        ------
        ValueError
            If the scale of the field is not known.
        """
        return self.candidates(field, OPERATING_SCORE)

    def candidates(self, field: Field, least_score: float) -> list[Cell]:
        """Return what ``find`` returns and, below a score of 0.5, what it leaves out; see ``CandidateFinder``.

        Raises
        ------
        ValueError
            If the scale of the field is not known.
        """
        if field.scale is None:
            raise ValueError(f"{field.id}: finding cells needs the scale of the field")
        factor = field.scale.mpp / self._spec.mpp
        view = WorkingView(field.pixels, factor)
        found, tissue = self._find_everywhere(view, least_score)
        bodies = self._bodies(found, tissue)
        outlines = [body.outline / factor for body in bodies]
        nuclei = [_nucleus(body, factor) for body in bodies]
        return cells_from_outlines(field, outlines, [KINDS[k] for k in found.kinds], found.scores.tolist(), nuclei)

    def _find_everywhere(self, view: WorkingView, least_score: float) -> tuple[Candidates, NDArray[np.uint8]]:
        """Return the candidates of all tiles without repeats, and the tissue maps of the whole image."""
        stride = self._spec.stride
        tissue = np.zeros((2, -(-view.height // stride), -(-view.width // stride)), np.uint8)
        parts = []
        for tile in view.tiles(self._spec.tile, self._spec.overlap):
            batch = view.network_input(tile, GRANULE)
            heat, radii, shown = self._graph.run(batch)
            found = decode(heat[0], radii[0], stride, self._thresholds, least_score)
            parts.append(tile.owned(found.moved(tile.x0, tile.y0)))
            tile.paste(shown[0], tissue, stride)
        return suppress(Candidates.join(parts, self._spec.rays)), tissue

    def _bodies(self, found: Candidates, tissue: NDArray[np.uint8]) -> list[WhiteCellBody]:
        """Return an outline for every candidate: white cells as the tissue maps show them, the others as stars."""
        is_white = found.kinds == KINDS.index(CellKind.WHITE_CELL)
        # What is only a faint candidate takes nothing away from a cell.
        claims = np.nonzero(is_white & (found.scores >= OPERATING_SCORE))[0]
        centers = found.points[claims].mean(axis=1)
        bodies = []
        for index, star in enumerate(found.points):
            if not is_white[index]:
                bodies.append(WhiteCellBody(star, ()))
                continue
            near = np.abs(centers - star.mean(axis=0)).max(axis=1) < np.ptp(star, axis=0).max() * 1.5
            others = [found.points[other] for other in claims[near] if other != index]
            bodies.append(outline_body(star, others, tissue, self._spec.stride))
        return bodies


def _nucleus(body: WhiteCellBody, factor: float) -> Nucleus | None:
    return Nucleus(tuple(Polygon(part / np.float32(factor)) for part in body.nucleus)) if body.nucleus else None
