"""What training writes is what evaluation reads."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from patient_cohorts import DISEASE, HEMOGLOBIN, MARKERS, make_answers

from hemascope.app.patient_rows import write_answers
from hemascope.evaluate.patients.answers import PatientAnswers
from hemascope.evaluate.patients.answers_file import infer_tasks, read_answers

TASKS = (DISEASE, MARKERS, HEMOGLOBIN)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=8)


@st.composite
def cohorts(draw: st.DrawFn) -> PatientAnswers:
    count = draw(st.integers(1, 6))
    generator = np.random.default_rng(draw(st.integers(0, 99)))

    def thinned(values: np.ndarray) -> np.ndarray:
        return np.where(generator.uniform(size=values.shape) < 0.3, np.nan, values)

    disease = generator.dirichlet([1, 1, 1], size=count)
    disease[generator.uniform(size=count) < 0.2] = np.nan
    truth = {name: thinned(generator.integers(0, 2, count).astype(float)) for name in MARKERS.outputs}
    truth |= {
        "disease": thinned(generator.integers(0, 3, count).astype(float)),
        "hemoglobin": thinned(disease[:, 0] + 10),
    }
    return make_answers(
        TASKS,
        {"disease": disease, "fish": thinned(generator.uniform(size=(count, 3)))},
        truth,
        numbers={"hemoglobin": thinned(generator.normal(12, 2, count))},
        cells=generator.integers(1, 900, count),
        splits=draw(st.lists(st.sampled_from(["out_of_fold", "test", "unclear"]), min_size=count, max_size=count)),
        facts={"site": draw(st.lists(TEXT, min_size=count, max_size=count))},
        covariates={
            "age": np.round(generator.uniform(20, 90, count), 1),
            "sex": generator.choice(["f", "m", ""], count),
        },
        labels={"disease": draw(st.lists(TEXT, min_size=count, max_size=count))},
    )


@given(cohorts())
def test_what_was_written_is_read(written: PatientAnswers) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_answers(path, written)
        read, tasks = read_answers(path, TASKS), infer_tasks(path)
    assert [(task.name, task.kind, task.outputs) for task in tasks] == [(t.name, t.kind, t.outputs) for t in TASKS]
    assert read.patients == written.patients
    for name in ("splits", "folds", "cells"):
        assert getattr(read, name).tolist() == getattr(written, name).tolist()
    np.testing.assert_allclose(read.truth, written.truth, rtol=1e-8)
    for name in ("disease", "fish"):
        np.testing.assert_allclose(read.probabilities[name], written.probabilities[name], rtol=1e-8)
    np.testing.assert_allclose(read.numbers["hemoglobin"], written.numbers["hemoglobin"], rtol=1e-8)
    np.testing.assert_allclose(read.covariates["age"], written.covariates["age"])
    assert read.covariates["sex"].tolist() == written.covariates["sex"].tolist()
    assert read.facts["site"].tolist() == written.facts["site"].tolist()
    assert read.labels["disease"].tolist() == written.labels["disease"].tolist()
