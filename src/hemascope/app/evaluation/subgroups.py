"""The figures in parts of the cohort, and whether the parts differ by more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hemascope.app.evaluation.drawing.forest import ForestGroup, ForestRow, draw_forest
from hemascope.app.evaluation.drawing.style import patients
from hemascope.app.evaluation.estimates import cells, shown_p, told
from hemascope.app.evaluation.findings import Findings, Picture, Sheet, plain
from hemascope.app.evaluation.inputs import Evaluated
from hemascope.app.evaluation.working_points import SHARES, working_points
from hemascope.core.bag_task import BagTask, TaskKind
from hemascope.evaluate.estimate import Estimate
from hemascope.evaluate.patients.classes import class_answers, score_classes
from hemascope.evaluate.patients.numbers import number_answers, score_number
from hemascope.evaluate.patients.questions import BinaryQuestion, class_question, questions_of
from hemascope.evaluate.patients.ranking import delong_estimate, macro_auroc
from hemascope.evaluate.patients.subgroup_columns import Columns, subgroup_columns
from hemascope.evaluate.patients.subgroups import (
    AVERAGE,
    InteractionTest,
    SubgroupRow,
    Subgroups,
    subgroups_of_classes,
    subgroups_of_number,
    subgroups_of_questions,
)
from hemascope.evaluate.patients.thresholds import Rule

MALIGNANCY = "malignancy"
_METRICS = {"auroc": "AUROC", "accuracy": "accuracy", "mean_absolute_error": "mean absolute error"}
_CAPTION = (
    "Squares: the figure in each subgroup with its 95% interval; the diamond and the line: all patients. Gray: the p "
    "value of the interaction, whether subgroups differ by more than chance, and that after Holm's correction over all "
    "tests of this page."
)

_Figure = tuple[Estimate, int, int | None]
"""With the number of patients, and of the positive ones."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One analysis by subgroups: its name on files, title, and the figure of all patients by question."""

    key: str
    title: str
    unit: str
    overall: Mapping[str, _Figure]


def judge_subgroups(run: Evaluated) -> Findings | None:
    """Return all figures by subgroup, every test corrected together; None where the cohort has no subgroups."""
    columns = subgroup_columns(run.judged) if len(run.judged) else {}
    if not columns:
        return None
    parts = [part for task in run.judged.tasks if (part := _of_task(run, task, columns)) is not None]
    malignant = _of_malignancy(run, columns)
    parts += [malignant] if malignant is not None else []
    counts = [(len(part.rows), len(part.tests)) for _, part in parts]
    every = sum((part for _, part in parts), Subgroups((), ())).adjusted()
    analyses, row, test = [], 0, 0
    for (asked, _), (rows, tests) in zip(parts, counts, strict=True):
        analyses.append((asked, Subgroups(every.rows[row : row + rows], every.tests[test : test + tests])))
        row, test = row + rows, test + tests
    done = sum(one.p_value is not None for one in every.tests)
    smallest = min((one.p_holm for one in every.tests if one.p_holm is not None), default=None)
    return Findings(
        "subgroups",
        "Subgroups",
        {
            "tests": done,
            "smallest_p_holm": plain(smallest, 12),
            **{asked.key: _figures(own) for asked, own in analyses},
        },
        (_row_sheet(analyses), _test_sheet(analyses)),
        tuple(picture for asked, own in analyses for picture in _pictures(run, asked, own)),
        remarks=(_remark(done, smallest),),
    )


def _of_task(run: Evaluated, task: BagTask, columns: Columns) -> tuple[_Asked, Subgroups] | None:
    name = run.shown(task.name)
    if task.kind is TaskKind.NUMBER:
        numbers = number_answers(run.judged, task.name)
        error = score_number(numbers, run.resamples).mean_absolute_error
        overall = {task.name: (error, len(numbers), None)}
        return _Asked(task.name, name, task.unit, overall), subgroups_of_number(numbers, columns, run.resamples)
    if task.kind is TaskKind.CLASSES:
        answers = class_answers(run.judged, task.name)
        accuracy = score_classes(answers, resamples=1).overall["accuracy"]
        overall = {task.name: (accuracy, len(answers), None)}
        return _Asked(task.name, name, "", overall), subgroups_of_classes(task.name, answers, columns)
    questions = [question for question in questions_of(run.judged, task.name) if len(question)]
    if not questions:
        return None
    tuning = {q.name: q for q in questions_of(run.tuning, task.name)} if run.tuning else {}
    thresholds = {q.name: _youden(run, q, tuning.get(q.name)) for q in questions}
    areas: dict[str, _Figure] = {q.name: (delong_estimate(q), len(q), q.positives) for q in questions}
    if len(questions) > 1:
        areas[AVERAGE] = (macro_auroc(questions, run.resamples), len(run.judged), None)
    return _Asked(task.name, name, "", areas), subgroups_of_questions(questions, columns, thresholds, run.resamples)


def _of_malignancy(run: Evaluated, columns: Columns) -> tuple[_Asked, Subgroups] | None:
    task, taxonomy = run.disease_task(), run.taxonomy
    if task is None or taxonomy is None:
        return None
    question = class_question(run.judged, task.name, taxonomy.malignant, MALIGNANCY)
    if not len(question):
        return None
    tuning = class_question(run.tuning, task.name, taxonomy.malignant, MALIGNANCY) if run.tuning else None
    asked = _Asked(
        MALIGNANCY, MALIGNANCY, "", {MALIGNANCY: (delong_estimate(question), len(question), question.positives)}
    )
    return asked, subgroups_of_questions([question], columns, {MALIGNANCY: _youden(run, question, tuning)})


def _youden(run: Evaluated, judged: BinaryQuestion, tuning: BinaryQuestion | None) -> float | None:
    """Return Youden's threshold; None where each fold has its own."""
    points = [point for point in working_points(run, judged, tuning) if point.rule == Rule.YOUDEN]
    return points[0].threshold if points and len(points[0].thresholds) == 1 else None


def _figures(own: Subgroups) -> dict[str, Any]:
    rows = [
        {
            "question": row.question, "column": row.column, "group": row.group, "patients": row.patients,
            "positive": row.positives, "metric": row.metric, **told(row.value),
        }
        for row in own.rows
    ]  # fmt: skip
    tests = [
        {
            "question": test.question, "column": test.column, "metric": test.metric, "groups": list(test.groups),
            "test": test.test, "p_value": plain(test.p_value, 12), "p_holm": plain(test.p_holm, 12),
        }
        for test in own.tests
    ]  # fmt: skip
    return {"rows": rows, "tests": tests}


def _row_sheet(analyses: list[tuple[_Asked, Subgroups]]) -> Sheet:
    rows = tuple(
        (asked.key, row.question, row.column, row.group, row.patients, row.positives, row.metric, *cells(row.value),
         *(_share(row, name) for name in SHARES))
        for asked, own in analyses
        for row in own.rows
    )  # fmt: skip
    columns = ("task", "question", "column", "group", "patients", "positive", "metric", "value", "low", "high", *SHARES)
    return Sheet("subgroups", columns, rows)


def _share(row: SubgroupRow, name: str) -> float | None:
    return None if row.scores is None else plain(getattr(row.scores, name).value)


def _test_sheet(analyses: list[tuple[_Asked, Subgroups]]) -> Sheet:
    rows = tuple(
        (asked.key, t.question, t.column, t.metric, len(t.groups), t.test, plain(t.p_value, 12), plain(t.p_holm, 12))
        for asked, own in analyses
        for t in own.tests
    )
    columns = ("task", "question", "column", "metric", "groups_tested", "test", "p_value", "p_holm")
    return Sheet("subgroup_tests", columns, rows)


def _pictures(run: Evaluated, asked: _Asked, own: Subgroups) -> list[Picture]:
    """Return a forest plot a question; the average first."""
    found = []
    for question in sorted(asked.overall, key=lambda name: name != AVERAGE):
        value, count, positives = asked.overall[question]
        rows = [row for row in own.rows if row.question == question]
        if value.value is None or not rows:
            continue
        tests = {test.column: test for test in own.tests if test.question == question}
        groups = [_group(column, [row for row in rows if row.column == column], tests) for column in tests]
        what = _METRICS[rows[0].metric] + (f" ({asked.unit})" if asked.unit else "")
        name = asked.title if question in (asked.key, asked.title) else f"{asked.title}, {run.shown(question)}"
        overall = ForestRow("all patients", value.value, value.low, value.high, _count(count, positives))
        draw = partial(draw_forest, f"{name.capitalize()}: subgroups, {patients(count)}", groups, overall, what)
        file = f"subgroups_{asked.key}" + ("" if question == asked.key else f"_{question}")
        found.append(Picture(file, name.capitalize(), _CAPTION, draw))
    return found


def _group(column: str, rows: list[SubgroupRow], tests: Mapping[str, InteractionTest]) -> ForestGroup:
    test = tests[column]
    said = "too few to test" if test.p_value is None else f"{shown_p(test.p_value)}, Holm {_bare_p(test.p_holm)}"
    drawn = [
        ForestRow(row.group, row.value.value, row.value.low, row.value.high, _count(row.patients, row.positives))
        for row in rows
    ]
    return ForestGroup(column.replace("_", " "), said, tuple(drawn))


def _bare_p(p_value: float | None) -> str:
    return shown_p(p_value).removeprefix("p = ").removeprefix("p ")


def _count(count: int, positives: int | None) -> str:
    return f"{count:,}" if positives is None else f"{count:,} ({positives:,})"


def _remark(done: int, smallest: float | None) -> str:
    if not done or smallest is None:
        return "No test of interaction could be done: a subgroup needs five patients of each kind."
    verdict = "differ by more than chance somewhere" if smallest < 0.05 else "differ by no more than chance"
    said = shown_p(smallest)
    return f"{done} tests of interaction, corrected together by Holm: subgroups {verdict} (smallest corrected {said})."
