"""How strongly a generator is best guided: told by validation cells alone, so that a default may be chosen by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hemascope.app.bench_fewshot import standardized
from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import Measures
from hemascope.app.protocol_encoder import ProtocolEncoder
from hemascope.app.synthesize import Generator
from hemascope.app.synthetic_check import embed_pictures
from hemascope.app.synthetic_material import CLASSES, Material, Values, draw_each, draw_pictures
from hemascope.app.synthetic_mixing import told_by_real
from hemascope.denoise.sampling import GuidedDenoiser, SamplingPlan
from hemascope.evaluate.generated_cells import compare_by_class, told_as_asked

STRENGTHS = (1.0, 1.5, 2.5)
EACH = 32
"""Cells of a type at each strength."""


def measure_guidance(
    measures: Measures,
    prefix: str,
    generator: Generator,
    encoder: ProtocolEncoder,
    material: Material,
    values: dict[str, Values],
    plan: SamplingPlan,
    progress: Progress,
) -> None:
    """Add the figures of cells drawn with each strength against as many validation cells.

    Parameters
    ----------
    prefix
        Of the keys; ``.<strength>.<figure>`` follows, the strength in percent.
    encoder, values
        What cells are compared in, and the embeddings of the material in it.
    plan
        Whose guidance is replaced.
    """
    validation = np.flatnonzero(~material.tested)
    types = material.held_out_types[validation]
    each = min(EACH, material.each, int(np.bincount(types, minlength=len(CLASSES)).min()))
    if each <= 3:
        return
    rows = validation[draw_each(types, each)]
    asked = material.held_out_types[rows]
    width = generator.denoiser.crop_size[1]
    for strength in STRENGTHS if isinstance(generator.denoiser, GuidedDenoiser) else STRENGTHS[:1]:
        pictures = draw_pictures(generator, each, replace(plan, guidance=strength), progress)
        drawn = embed_pictures(encoder, pictures, width, progress)
        training, real, made = standardized(values["training"], values["held_out"][rows], drawn)
        figures = compare_by_class(made, asked, real, asked)
        (told,) = told_by_real(training, material.training_types, made)
        key = f"{prefix}.{round(100 * strength)}"
        measures.add(key, figures | {"told_as_asked": told_as_asked(told, asked)})
