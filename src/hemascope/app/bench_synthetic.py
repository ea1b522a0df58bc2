"""Benchmark ``synthetic``: generated cells beside real ones, as possible copies, and in a classifier's training."""

from __future__ import annotations

import numpy as np

from hemascope.app.bench_fewshot import describe_exposure, standardized
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.bench_request import BenchmarkParts, BenchmarkRequest, Outcome, describe_set, needed_root
from hemascope.app.synthesize import GUIDANCE, STEPS, Generator, sampling_plan
from hemascope.app.synthetic_check import embedding_nearness, pixel_nearness
from hemascope.app.synthetic_guidance import measure_guidance
from hemascope.app.synthetic_material import CLASSES, SEED, Material, Values, embed_material, gather_material
from hemascope.app.synthetic_mixing import MixingTask, measure_mixing, told_by_real
from hemascope.app.target_cells import PBC, locate_cells
from hemascope.evaluate.generated_cells import compare_by_class, compare_samples, told_as_asked

EACH = 160
"""Generated cells of a type, at most."""

DEFAULT_ENCODERS = ("hemascope-s", "descriptors")
"""What cells are compared in where no encoder is named."""


def run(request: BenchmarkRequest, parts: BenchmarkParts, progress: Progress) -> Outcome:
    """Return how like real cells the generated ones are, how like copies, and what they add to a classifier."""
    root, generator = needed_root(request), Generator(parts.pixel_denoiser(request.denoiser), (), {})
    plan = sampling_plan(GUIDANCE, STEPS)
    encoders = [parts.protocol_encoder(name) for name in request.encoders or DEFAULT_ENCODERS]
    material = gather_material(generator, locate_cells(PBC, root), plan, request.limit or EACH, progress)
    measures = Measures()
    progress("comparing pixels", 0, 1)
    held_out = material.held_out[material.reference]
    near = pixel_nearness(material.made, held_out, material.training, generator.denoiser.mask)
    measures.add(f"{PBC}.memory.pixels", near.figures())
    for encoder in encoders:
        values = embed_material(encoder, material, generator.denoiser.crop_size[1], progress)
        measure_likeness(measures, f"{PBC}.{encoder.name}", material, values)
        near_by = embedding_nearness(
            values["made"], values["held_out"][material.reference], values["training"], values["copies"]
        )
        measures.add(f"{PBC}.memory.{encoder.name}", near_by.figures())
        if encoder is encoders[0]:
            prefix = f"{PBC}.guidance.{encoder.name}"
            measure_guidance(measures, prefix, generator, encoder, material, values, plan, progress)
        measure_mixing(measures, f"{PBC}.mixing.{encoder.name}", mixing_task(material, values), progress)
    return Outcome(
        data={PBC: describe_set(PBC, root, "")},
        n={
            "training": len(material.training),
            "held_out": len(material.held_out),
            "test": int(material.tested.sum()),
            "synthetic_each": material.each,
        },
        measures=measures,
        baselines={},
        models=(generator.denoiser.identity, *(encoder.identity for encoder in encoders)),
        notes={
            "encoders": {encoder.name: describe_exposure(encoder) for encoder in encoders},
            "generator": {"guidance": plan.guidance, "steps": plan.steps, "seed": SEED},
        },
    )


def measure_likeness(measures: Measures, prefix: str, material: Material, values: dict[str, Values]) -> None:
    """Add the figures of generated, real, blurred and shuffled cells against as many held-out ones, and by type."""
    training, real, made, blurred = standardized(
        values["training"], values["held_out"][material.reference], values["made"], values["blurred"]
    )
    types, drawn = material.made_types, training[material.drawn]
    shuffled = np.random.default_rng(SEED).permutation(types)
    for name, cells, labels in (
        ("synthetic", made, types),
        ("real", drawn, types),
        ("blurred", blurred, types),
        ("shuffled", drawn, shuffled),
    ):
        measures.add(f"{prefix}.{name}", compare_by_class(cells, labels, real, types))
    told_made, told_real = told_by_real(training, material.training_types, made, real)
    measures.add(f"{prefix}.synthetic", {"told_as_asked": told_as_asked(told_made, types)})
    measures.add(f"{prefix}.real", {"told_as_asked": told_as_asked(told_real, types)})
    for place, name in enumerate(CLASSES):
        one = types == place
        for row, cells, told in (("synthetic", made, told_made), ("real", drawn, told_real)):
            figures = compare_samples(cells[one], real[one])
            right = told_as_asked(told[one], types[one])
            measures.add(f"{prefix}.{row}.{name}", figures | {"told_as_asked": right})


def mixing_task(material: Material, values: dict[str, Values]) -> MixingTask:
    """Return the embeddings of an encoder as what the mixing is measured on."""
    tested = material.tested
    return MixingTask(
        training=values["training"], types=material.training_types, groups=material.training_groups,
        made=values["made"], made_types=material.made_types,
        asked=values["held_out"][tested], asked_types=material.held_out_types[tested],
        asked_groups=material.held_out_groups[tested],
    )  # fmt: skip
