"""What a generative model says of nucleated cells: rates, and what a reader must know of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hemascope.core.rates import Rate
from hemascope.core.report import FieldSummary, GenerativeFindings
from hemascope.core.smear import QcStatus
from hemascope.reporting.differential import share

LIMITS = (
    "A generative model judged every nucleated cell too: how well each type explains it, how sure that is, and whether "
    "it is unlike everything learned. Its thresholds come from validation cells of the training sources: on another "
    "stain, camera or disease more cells look strange to it, and not every strange cell does. Look at the map of cells."
)
"""Said wherever cells were judged."""


SHIFT_PERCENT = 25.0
"""Share of unlike cells that its interval must lie above for the smear as a whole to be called unlike."""

SHIFT = (
    "So many that either the stain, camera or scale differs from what was learned, or most cells are of a kind never "
    "seen; the model cannot tell which. The map ranks the cells within this smear."
)
"""Said where a smear as a whole is unlike."""


def shifted(found: GenerativeFindings | None) -> bool:
    """Return whether a smear as a whole is unlike what was learned: its cells are then compared to each other."""
    return found is not None and found.unlike.low is not None and found.unlike.low > SHIFT_PERCENT


def compute_generative(
    fields: Iterable[FieldSummary], use: str = "beside", abstains: bool = False
) -> GenerativeFindings | None:
    """Return the shares of cells that are unlike training and disputed; None where no cell was judged.

    Intervals are binomial (Clopper-Pearson) and cover counting alone.

    Parameters
    ----------
    fields
        Summaries in any order; those with a verdict of ``fail`` are left out.
    use, abstains
        What the judgements were used for, as in ``GenerativeFindings``.
    """
    counts = [field.generative for field in fields if field.verdict.status is not QcStatus.FAIL]
    judged = sum(count.judged for count in counts)
    if not judged:
        return None
    unlike, disputed = sum(count.unlike for count in counts), sum(count.disputed for count in counts)
    return GenerativeFindings(judged, share(unlike, judged), share(disputed, judged), use, abstains)


def generative_statements(found: GenerativeFindings | None) -> tuple[str, ...]:
    """Return the limits of what is said of the judgements, and what they changed, in words."""
    return () if found is None else (LIMITS, used(found))


def used(found: GenerativeFindings) -> str:
    """Return what the judgements did to the types, in a sentence."""
    said = {
        "beside": "The generative model stands beside the classifier: it changed no type",
        "cascade": "Where the classifier was uncertain, the generative model was heard and may have changed the type",
    }[found.use]
    doubt = "cells that it doubts were left unidentified" if found.abstains else "left no cell unidentified"
    joined = ", and " if found.use == "beside" or found.abstains else "; it "
    return f"{said}{joined}{doubt}."


def summary_lines(found: GenerativeFindings) -> Sequence[str]:
    """Return what a reader is told first, in sentences."""
    unlike, disputed = found.unlike, found.disputed
    return (
        f"{unlike.count:,} of {found.judged:,} nucleated cells ({_percent(unlike)}) are unlike everything that the "
        f"generative model learned{'. ' + SHIFT if shifted(found) else ': look at them first.'}",
        f"For {disputed.count:,} ({_percent(disputed)}) it names another type than the classifier.",
    )


def _percent(rate: Rate) -> str:
    """Return a share with its interval."""
    value = rate.value or 0.0
    shown = f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.1f}%"
    return f"{shown}; {rate.low:.1f} to {rate.high:.1f}"
