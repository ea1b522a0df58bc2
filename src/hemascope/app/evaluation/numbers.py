"""A number told of each patient against the number measured."""

from __future__ import annotations

from functools import partial
from typing import Any

from hemascope.app.evaluation.drawing.scatter import draw_numbers
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import cells, headline, shown, shown_p, told
from hemascope.app.evaluation.findings import Findings, Picture, Sheet, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.core.bag_task import BagTask
from hemascope.evaluate.patients.numbers import NumberAnswers, number_answers, score_number

FEWEST = 3
"""Patients for figures of a number."""

_FIGURES = ("pearson", "mean_absolute_error", "bias", "mean_absolute_error_of_mean")
_CAPTION = (
    "Left: told against measured, with the line of agreement. Right: the difference over their mean, its mean, and the "
    "limits within which 95% of differences lie where they are normal (Bland and Altman, Lancet 1986)."
)


def judge_number(run: Evaluated, task: BagTask) -> Findings | None:
    """Return how a number agrees with what was measured; None with fewer than three patients who have both."""
    answers = number_answers(run.judged, task.name)
    if len(answers) < FEWEST:
        return None
    scores = score_number(answers, run.resamples)
    found = {name: getattr(scores, name) for name in _FIGURES}
    figures = {
        "patients": len(answers),
        "unit": task.unit,
        **{name: told(value) for name, value in found.items()},
        "pearson_p_value": plain(scores.p_value, 12),
        "limits_of_agreement": _limits(answers),
    }
    name, count = run.shown(task.name), len(answers)
    what = f"{name} ({task.unit})" if task.unit else name
    note = (
        f"Pearson r {shown(scores.pearson)}, {shown_p(scores.p_value)}\n"
        f"mean absolute error {shown(scores.mean_absolute_error)}"
    )
    draw = partial(draw_numbers, f"{name.capitalize()}, {patients(count)}", answers.told, answers.truth, what, note)
    return Findings(
        task.name,
        name.capitalize(),
        figures,
        (_sheet(task, found),),
        (Picture(f"number_{task.name}", "Told against measured", _CAPTION, draw),),
        (
            headline(name, "Pearson r", scores.pearson, count),
            headline(name, "mean absolute error", scores.mean_absolute_error, count, task.unit),
            headline(
                name, "the same of telling everybody the mean", scores.mean_absolute_error_of_mean, count, task.unit
            ),
        ),
        of_task=True,
    )


def _limits(answers: NumberAnswers) -> list[float | None]:
    gap = answers.told - answers.truth
    half = 1.96 * float(gap.std(ddof=1))
    return [plain(float(gap.mean()) - half), plain(float(gap.mean()) + half)]


def _sheet(task: BagTask, found: dict[str, Any]) -> Sheet:
    rows = tuple((name, *cells(value)) for name, value in found.items())
    return Sheet(f"number_{task.name}", ("figure", "value", "low", "high"), rows)
