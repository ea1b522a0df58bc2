"""Encoders by name, and what stands on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.core.errors import RecipeError
from hemascope.core.ports import (
    AttributeTeller,
    Encoder,
)
from hemascope.core.provenance import ModelIdentity
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.app.protocol_encoder import ProtocolEncoder
    from hemascope.app.shared_encoders import SharedEncoders
from hemascope.wiring.classifiers import second_opinion
from hemascope.wiring.graphs import build_graph


def build_encoder(
    name: str, settings: Settings | None = None, backend: str = "onnxruntime", precision: str = "fp32"
) -> Encoder:
    """Return an encoder by its name in ``zoo.registry``, or the one in a model folder.

    Parameters
    ----------
    name
        Such as ``dinobloom_s``, or the path of a model folder; ``descriptors`` for handcrafted ones. With ``.looks``
        after it, the mean over four ways the crop can lie.
    settings
        Where pulled models lie, and threads; from the environment where None.
    backend, precision
        As ``build_graph`` takes them.

    Raises
    ------
    RecipeError
        If there is no such encoder, backend or precision.
    WeightsError
        If it is not installed, damaged, or no encoder.
    MissingExtraError
        If the backend is not installed.
    """
    from hemascope.embed.descriptor_encoder import DescriptorEncoder
    from hemascope.embed.graph_encoder import GraphEncoder, read_encoder_spec
    from hemascope.embed.looks import SUFFIX, LooksEncoder
    from hemascope.zoo.installed import encoder_folder

    if name.endswith(SUFFIX):
        return LooksEncoder(build_encoder(name.removesuffix(SUFFIX), settings, backend, precision))
    if name == "descriptors":
        if (backend, precision) != ("onnxruntime", "fp32"):
            raise RecipeError("the encoder 'descriptors' runs no network: leave out its backend and precision")
        return DescriptorEncoder()
    settings = settings or read_settings()
    folder, card = encoder_folder(name, settings.models)
    graph = build_graph(folder, card, backend, precision, settings)
    return GraphEncoder(graph, read_encoder_spec(card.spec, graph.identity.backend))


def shared_encoders(settings: Settings | None = None) -> SharedEncoders:
    """Return the encoders of one analysis, each built when it is first asked for."""
    from hemascope.app.shared_encoders import SharedEncoders
    from hemascope.zoo.card import read_card
    from hemascope.zoo.onnx_graph import OnnxGraph

    settings = settings or read_settings()
    return SharedEncoders(
        lambda folder: OnnxGraph(folder, read_card(folder), settings.threads),
        lambda name: build_encoder(name, settings),
    )


def build_attribute_teller(
    folder: Path | None = None, *, shared: SharedEncoders | None = None
) -> AttributeTeller | None:
    """Return what tells subtypes and attributes of white cells.

    Parameters
    ----------
    folder
        A model folder, as `hemascope train attributes` writes it; the shipped one where None.
    shared
        What other parts of the same analysis ask too; None for encoders of its own.

    Returns
    -------
    None where no folder is named and none ships.

    Raises
    ------
    WeightsError
        If the folder is damaged, or its encoders are not those it was trained on.
    """
    from hemascope.zoo.card import TENSORS_FILE, read_card
    from hemascope.zoo.shipped import CELL_ATTRIBUTES, shipped_card, shipped_folder

    if folder is None:
        if shipped_card(CELL_ATTRIBUTES) is None:
            return None
        folder = shipped_folder(CELL_ATTRIBUTES)
    from hemascope.app.attribute_teller import HeadsTeller
    from hemascope.app.attribute_training import build_choice, open_attributes
    from hemascope.app.protocol_encoder import bare_encoder

    card = read_card(folder)
    choice = str(card.spec.get("encoder_choice"))
    if shared is None:
        encoders = build_choice(choice, build_protocol_encoder)
    else:
        encoders = tuple(bare_encoder(shared.named(name)) for name in choice.split("+"))
    heads = open_attributes(folder, encoders)
    identity = ModelIdentity(card.name, card.version, card.files[TENSORS_FILE], "numpy-cpu-fp32", card.license)
    return HeadsTeller(encoders, heads, identity)


def build_protocol_encoder(name: str) -> ProtocolEncoder:
    """Return an encoder under test: ``descriptors``, a known name, or a folder of an encoder or a cell classifier.

    Raises
    ------
    RecipeError
        If there is none of that name.
    WeightsError
        If it is not installed, damaged, or neither an encoder nor a classifier.
    """
    from hemascope.app.protocol_encoder import bare_encoder, card_encoder, classifier_encoder, shown_model, started_from
    from hemascope.embed.descriptor_encoder import DescriptorEncoder
    from hemascope.embed.looks import SUFFIX
    from hemascope.zoo.card import read_card
    from hemascope.zoo.installed import encoder_folder
    from hemascope.zoo.onnx_graph import OnnxGraph

    if name == "descriptors":
        return bare_encoder(DescriptorEncoder())
    settings = read_settings()
    if Path(name).is_dir():
        card = read_card(Path(name))
        if card.task == "classify":
            graph = OnnxGraph(Path(name), card, settings.threads)
            opinion = second_opinion(Path(name), card)
            return classifier_encoder(shown_model(name), graph, card, started_from(card), opinion)
    _, card = encoder_folder(name.removesuffix(SUFFIX), settings.models)
    return card_encoder(shown_model(name), build_encoder(name, settings), card, started_from(card))
