"""From fields to the differential: counts, rates and their exact intervals. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from hemascope.core.prediction import SUBTYPES
from hemascope.core.rates import Rate
from hemascope.core.report import Differential, FieldResult, FieldSummary
from hemascope.core.smear import QcStatus
from hemascope.core.taxonomy import UNIDENTIFIED, WHITE_CELL_TYPES, CellKind, CellType
from hemascope.reporting.generative_counts import count_judgements
from hemascope.reporting.red_cell_counts import count_platelets, count_red_cells
from hemascope.stats.intervals import binomial_interval, poisson_rate_interval, poisson_ratio_interval

PERCENT = "%"
PER_100_WHITE_CELLS = "per 100 white cells"
PER_1000_RED_CELLS = "per 1,000 red cells"
PER_FIELD = "per field"

DIFFERENTIAL_TYPES: tuple[str, ...] = (*(t.value for t in WHITE_CELL_TYPES), UNIDENTIFIED)
"""The rows of a differential, in order; together they are every white cell."""


SUBTYPE_NAMES: tuple[str, ...] = tuple(name for names in SUBTYPES.values() for name in names)
"""Every subtype of every type."""


def summarize(result: FieldResult) -> FieldSummary:
    """Return what is kept of an analyzed field once its pixels are gone.

    Parameters
    ----------
    result
        One field, whose scale is known.

    Raises
    ------
    ValueError
        If the field has no scale: every analyzed field has one, if only an assumed one.
    """
    field = result.field
    if field.scale is None:
        raise ValueError(f"field {field.id} has no scale; set one with Field.with_scale before analyzing it")
    kinds = Counter(cell.cell.kind for cell in result.cells)
    labels = Counter(cell.label for cell in result.cells if cell.label is not None)
    sets = (cell.prediction.prediction_set for cell in result.cells if cell.prediction is not None)
    sizes = Counter(len(found.types) for found in sets if found is not None)
    told = (cell.attributes.subtype for cell in result.cells if cell.attributes is not None)
    subtypes = Counter(subtype.value for subtype in told if subtype is not None)
    return FieldSummary(
        id=field.id,
        path="" if field.path is None else str(field.path),
        sha256=field.sha256,
        width=field.width,
        height=field.height,
        mpp=field.scale.mpp,
        scale_source=field.scale.source.value,
        verdict=result.verdict,
        counts={kind.value: kinds[kind] for kind in CellKind},
        types={name: labels[name] for name in (*DIFFERENTIAL_TYPES, CellType.ERYTHROBLAST.value)},
        notes=field.notes,
        red_cells=count_red_cells(result),
        platelets=count_platelets(result),
        set_sizes={str(size): sizes[size] for size in sorted(sizes)},
        subtypes={name: subtypes[name] for name in SUBTYPE_NAMES if subtypes[name]},
        generative=count_judgements(result),
    )


def compute_differential(fields: Iterable[FieldSummary], prior: str, prior_shares: Mapping[str, float]) -> Differential:
    """Return the differential over every field that did not fail quality control.

    White cells are all nucleated cells but erythroblasts; those the model left unidentified stay in the denominator,
    so that the shares add up to 100%. A share's interval is binomial (Clopper-Pearson). Erythroblasts are counted
    beside the white cells, not among them, so their rate is a ratio of two Poisson counts, as are platelets over red
    cells; cells per field are Poisson rates (Garwood). Cells that cluster from field to field vary more than Poisson
    counts do, and then the intervals per field are too narrow: see ``docs/report.md``.

    Parameters
    ----------
    fields
        Summaries in any order; those with a verdict of ``fail`` are left out.
    prior
        Name of the class prior in force.
    prior_shares
        ``CellType`` value to the share the prior gives it.
    """
    included = [field for field in fields if field.verdict.status is not QcStatus.FAIL]
    types: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for field in included:
        types.update(field.types)
        kinds.update(field.counts)
    white_cells = sum(types[name] for name in DIFFERENTIAL_TYPES)
    platelets, red_cells = kinds[CellKind.PLATELET.value], kinds[CellKind.RED_CELL.value]
    return Differential(
        white_cells=white_cells,
        types={name: share(types[name], white_cells) for name in DIFFERENTIAL_TYPES},
        erythroblasts=_ratio(types[CellType.ERYTHROBLAST.value], white_cells, 100, PER_100_WHITE_CELLS),
        platelets_per_field=_per_field(platelets, len(included)),
        red_cells_per_field=_per_field(red_cells, len(included)),
        platelets_per_1000_red_cells=_ratio(platelets, red_cells, 1000, PER_1000_RED_CELLS),
        prior=prior,
        prior_shares=dict(prior_shares),
    )


def share(count: int, total: int) -> Rate:
    """Return a percentage with its binomial interval."""
    if total == 0:
        return Rate(count, total, None, None, None, PERCENT)
    low, high = binomial_interval(count, total)
    return Rate(count, total, 100 * count / total, 100 * low, 100 * high, PERCENT)


def _ratio(count: int, total: int, per: float, unit: str) -> Rate:
    """Return a ratio of two counts with its conditional binomial interval."""
    if total == 0:
        return Rate(count, total, None, None, None, unit)
    low, high = poisson_ratio_interval(count, total)
    return Rate(count, total, per * count / total, per * low, per * high, unit)


def _per_field(count: int, fields: int) -> Rate:
    """Return a mean count a field with its Poisson interval."""
    if fields == 0:
        return Rate(count, fields, None, None, None, PER_FIELD)
    low, high = poisson_rate_interval(count, fields)
    return Rate(count, fields, count / fields, low, high, PER_FIELD)
