"""Names to objects; the only room that knows everyone. Heavy parts are imported when they are asked for."""

from __future__ import annotations

from hemascope.wiring.analysis import build_analyzer, build_embeddings_sink, build_sinks
from hemascope.wiring.benchmarks import benchmark_parts
from hemascope.wiring.classifiers import build_classifier, build_red_cell_classifier, red_cell_recipe
from hemascope.wiring.denoisers import (
    build_cell_judge,
    build_embedding_decider,
    build_explaining,
    build_generator,
    build_pixel_denoiser,
    seeded_latent_denoiser,
)
from hemascope.wiring.encoders import build_attribute_teller, build_encoder, build_protocol_encoder, shared_encoders
from hemascope.wiring.graphs import BACKENDS, build_graph, onnxruntime_graph, openvino_graph, torch_graph
from hemascope.wiring.patient_answering import build_patient_answering
from hemascope.wiring.segmenters import (
    PEERS,
    SEGMENTERS,
    build_segmenter,
    cellpose_segmenter,
    classical_segmenter,
    folder_segmenter,
    instanseg_segmenter,
    network_segmenter,
    segmenter_name,
    stardist_segmenter,
)
from hemascope.wiring.tables import GRADINGS, PRIORS, load_grading, load_prior

__all__ = [
    "BACKENDS",
    "GRADINGS",
    "PEERS",
    "PRIORS",
    "SEGMENTERS",
    "benchmark_parts",
    "build_analyzer",
    "build_attribute_teller",
    "build_cell_judge",
    "build_classifier",
    "build_embedding_decider",
    "build_embeddings_sink",
    "build_encoder",
    "build_explaining",
    "build_generator",
    "build_graph",
    "build_patient_answering",
    "build_pixel_denoiser",
    "build_protocol_encoder",
    "build_red_cell_classifier",
    "build_segmenter",
    "build_sinks",
    "cellpose_segmenter",
    "classical_segmenter",
    "folder_segmenter",
    "instanseg_segmenter",
    "load_grading",
    "load_prior",
    "network_segmenter",
    "onnxruntime_graph",
    "openvino_graph",
    "red_cell_recipe",
    "seeded_latent_denoiser",
    "segmenter_name",
    "shared_encoders",
    "stardist_segmenter",
    "torch_graph",
]
