"""Malignancy, the sum of the malignant classes: procedures spared beside malignancies missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemascope.app.evaluation.drawing.curves import draw_roc
from hemascope.app.evaluation.drawing.decisions import draw_decision_curves, draw_procedures
from hemascope.app.evaluation.drawing.reliability import draw_reliability
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import headline, told
from hemascope.app.evaluation.findings import Findings, Headline, Picture
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.app.evaluation.panels import (
    DECISION_CAPTION,
    RELIABILITY_CAPTION,
    bins_for,
    calibration_figures,
    decision_panel,
    decision_sheet,
    reliability_panel,
)
from hemascope.app.evaluation.ranked import MARKS_CAPTION, ROC_CAPTION, ranking_figures, roc_line
from hemascope.app.evaluation.spared import COUNTS, procedure_curve, procedure_figures, procedure_sheet
from hemascope.app.evaluation.working_points import WorkingPoint, point_figures, working_points
from hemascope.bags.recommendation import Recommendation, ThresholdRule, choose_threshold, recommend
from hemascope.core.bag_task import BagTask
from hemascope.core.disease_taxonomy import DiseaseTaxonomy
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.answers import NO_FOLD, PatientAnswers
from hemascope.evaluate.patients.binary import count_binary, score_binary
from hemascope.evaluate.patients.calibration import CalibrationScores, calibration_of_question
from hemascope.evaluate.patients.decision_curve import DecisionPoint, decision_curve
from hemascope.evaluate.patients.procedures import ProcedureRow, procedure_row, procedure_table
from hemascope.evaluate.patients.questions import BinaryQuestion, class_question
from hemascope.evaluate.patients.ranking import RankingScores, rank

NAME = "malignancy"
DONORS = "healthy"
"""Class of people whom nobody would have sent to a procedure."""

_RULES = {"youden": "Youden", "sensitivity": "sensitivity 95%", "all_acute": "all acute leukemias"}
PROCEDURES_CAPTION = (
    "At each threshold: patients without malignancy who would be spared a procedure, beside malignant patients who "
    "would be missed. Healthy donors are counted in neither. The thresholds were chosen on other patients."
)


@dataclass(frozen=True, slots=True, eq=False)
class _Patients:
    """The question whether it is malignant, and what else the figures need."""

    question: BinaryQuestion
    acute: NDArray[np.bool_]
    donor: NDArray[np.bool_]

    def recommend(self, threshold: float, chosen: NDArray[np.bool_] | None = None) -> Recommendation:
        """Return what a threshold spares and misses, of all or of some patients."""
        flags = np.ones(len(self.question), bool) if chosen is None else chosen
        asked = self.question
        return recommend(
            asked.told[flags], asked.present[flags], self.acute[flags], threshold, is_donor=self.donor[flags]
        )


def judge_malignancy(run: Evaluated) -> Findings | None:
    """Return the figures of malignancy; None where the run has no taxonomy, or no patient of a known class."""
    task, taxonomy = run.disease_task(), run.taxonomy
    if task is None or taxonomy is None:
        return None
    judged = _patients(run.judged, task, taxonomy)
    question = judged.question
    if not len(question):
        return None
    tuning = _patients(run.tuning, task, taxonomy) if run.tuning is not None else None
    points = (
        *working_points(run, question, tuning.question if tuning else None),
        *_all_acute(run, judged, tuning),
    )
    advice = {point.rule: _advice(run, judged, point) for point in points}
    table = procedure_table(question, judged.acute, judged.donor)
    ranking, curve = rank(question, run.resamples), decision_curve(question, resamples=run.resamples)
    calibration = calibration_of_question(question, bins_for(len(question)), run.resamples)
    without_donors = rank(_among(question, ~judged.donor), run.resamples)
    figures: dict[str, Any] = {
        "classes": list(taxonomy.malignant),
        **ranking_figures(ranking),
        "auroc_without_donors": told(without_donors.auroc),
        "calibration": calibration_figures(calibration),
        "thresholds": {p.rule: point_figures(p) | {"procedures": procedure_figures(advice[p.rule])} for p in points},
    }
    return Findings(
        NAME,
        "Malignancy",
        figures,
        (
            procedure_sheet("malignancy_thresholds", advice.items()),
            procedure_sheet("malignancy_procedures", (("", row) for row in table)),
            decision_sheet("decision_malignancy", {NAME: curve}),
        ),
        (_procedure_picture(judged, points), *_pictures(question, ranking, points, calibration, curve)),
        _headlines(judged, ranking.auroc, without_donors.auroc, advice),
        _remarks(judged),
    )


def _procedure_picture(judged: _Patients, points: Sequence[WorkingPoint]) -> Picture:
    table = procedure_table(judged.question, judged.acute, judged.donor)
    chosen = {_RULES[point.rule]: point.threshold for point in points if point.rule in _RULES}
    title = f"Procedures spared, malignancies missed: {patients(len(judged.question))}"
    draw = partial(draw_procedures, title, procedure_curve(table, chosen), NAME)
    return Picture("malignancy_procedures", "Spared and missed", PROCEDURES_CAPTION, draw)


def _pictures(
    question: BinaryQuestion,
    ranking: RankingScores,
    points: tuple[WorkingPoint, ...],
    calibration: CalibrationScores,
    curve: Sequence[DecisionPoint],
) -> list[Picture]:
    told_of = f"malignancy, {patients(len(question))}"
    found = []
    line = roc_line("Malignancy", question, ranking, points)
    if line is not None:
        draw = partial(draw_roc, f"ROC: {told_of}", [line])
        found.append(Picture("roc_malignancy", "ROC", f"{ROC_CAPTION} {MARKS_CAPTION}", draw))
    draw = partial(draw_decision_curves, f"Decision curve: {told_of}", [decision_panel("", curve)])
    found.append(Picture("decision_malignancy", "Decision curve", DECISION_CAPTION, draw))
    stated = reliability_panel("", calibration, question.told)
    draw = partial(draw_reliability, f"Reliability: {told_of}", [stated], "share malignant")
    return [*found, Picture("reliability_malignancy", "Reliability", RELIABILITY_CAPTION, draw)]


def _patients(answers: PatientAnswers, task: BagTask, taxonomy: DiseaseTaxonomy) -> _Patients:
    question = class_question(answers, task.name, taxonomy.malignant, NAME)
    truth = answers.truth_of(task.name)[question.rows].astype(np.intp)
    acute = np.isin(truth, [task.outputs.index(name) for name in taxonomy.acute])
    donors = [task.outputs.index(DONORS)] if DONORS in task.outputs and DONORS not in taxonomy.malignant else []
    return _Patients(question, acute, np.isin(truth, donors))


def _all_acute(run: Evaluated, judged: _Patients, tuning: _Patients | None) -> tuple[WorkingPoint, ...]:
    """Return the threshold that finds every acute leukemia of the tuning patients; none across folds."""
    if tuning is None or run.cross_fitted or run.tuning is None or not tuning.acute.any():
        return ()
    asked = tuning.question
    threshold = choose_threshold(asked.told, asked.present, tuning.acute, ThresholdRule.ALL_ACUTE).threshold
    scores = score_binary(count_binary(judged.question.told >= threshold, judged.question.present))
    return (WorkingPoint("all_acute", {NO_FOLD: threshold}, run.tuning.splits[0].item(), scores),)


def _advice(run: Evaluated, judged: _Patients, point: WorkingPoint) -> ProcedureRow:
    """Return what a rule spares and misses; where each fold has its own threshold, the sum over folds."""
    if len(point.thresholds) == 1:
        return procedure_row(judged.recommend(point.threshold))
    folds = run.judged.folds[judged.question.rows]
    parts = [judged.recommend(threshold, folds == fold) for fold, threshold in point.thresholds.items()]
    sums = {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
    return procedure_row(Recommendation(point.threshold, **sums))


def _among(question: BinaryQuestion, kept: NDArray[np.bool_]) -> BinaryQuestion:
    return BinaryQuestion(
        question.name, question.rows[kept], question.patients[kept], question.told[kept], question.present[kept]
    )


def _headlines(
    judged: _Patients, area: Estimate, without_donors: Estimate, advice: Mapping[str, ProcedureRow]
) -> tuple[Headline, ...]:
    count, donors = len(judged.question), int(judged.donor.sum())
    lines = [headline(NAME, "AUROC", area, count)]
    if donors:
        lines.append(headline(NAME, "AUROC without healthy donors", without_donors, count - donors))
    best = advice.get("sensitivity")
    if best is not None:
        counts, spared = best.counts, "procedures spared, threshold for 95% sensitivity"
        missed = Estimate.share(counts.missed, counts.malignant)
        lines.append(headline(NAME, spared, best.avoided, counts.benign, "%"))
        lines.append(headline(NAME, "malignancies missed, same threshold", missed, counts.malignant, "%"))
    return tuple(lines)


def _remarks(judged: _Patients) -> tuple[str, ...]:
    donors = int(judged.donor.sum())
    if not donors:
        return ()
    return (
        f"{patients(donors)} of the class {DONORS} are taken for donors, whom nobody would have sent to a procedure: "
        "they count in the areas and shares, but spare nothing. The area without them is the one that a clinic meets.",
    )
