"""Encoders of one analysis: what several parts ask of a cell is computed once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hemascope.core.ports import Encoder, TensorGraph
from hemascope.embed.graph_encoder import GraphEncoder, read_encoder_spec
from hemascope.embed.looks import SUFFIX, LooksEncoder
from hemascope.embed.memory import ROOM, OutputOf, RememberingEncoder, RememberingGraph
from hemascope.zoo.card import read_card
from hemascope.zoo.shipped import shipped_card, shipped_folder

EMBEDDING_OUTPUT = 1
"""Of a cell classifier's network: logits, embeddings, distances."""


class SharedEncoders:
    """Builds encoders and the networks of classifiers when they are first asked for, each with a memory of its own.

    Parameters
    ----------
    graph
        From a model folder to its network.
    encoder
        From a name to an encoder.
    room
        Most rows that each keeps; 0 for none, where their time is to be measured.
    """

    def __init__(
        self, graph: Callable[[Path], TensorGraph], encoder: Callable[[str], Encoder], room: int = ROOM
    ) -> None:
        self._build_graph = graph
        self._build_encoder = encoder
        self._room = room
        self._graphs: dict[Path, TensorGraph] = {}
        self._encoders: dict[str, Encoder] = {}

    def graph(self, folder: Path) -> TensorGraph:
        """Return the network of a cell classifier.

        Raises
        ------
        WeightsError
            If its weights are missing or damaged.
        """
        if folder not in self._graphs:
            self._graphs[folder] = RememberingGraph(self._build_graph(folder), self._room)
        return self._graphs[folder]

    def named(self, name: str) -> Encoder:
        """Return an encoder by its name, that of a shipped cell classifier, or the folder of one.

        The embeddings of a cell classifier are those its network gives while it types a cell. With ``.looks`` after the
        name, the mean over several looks, of which the first is what others ask for too.

        Raises
        ------
        RecipeError
            If there is none of that name.
        WeightsError
            If its weights are missing or damaged.
        """
        key = name if "/" in name else name.replace("-", "_")
        if key not in self._encoders:
            self._encoders[key] = self._built(key)
        return self._encoders[key]

    def _built(self, name: str) -> Encoder:
        if name.endswith(SUFFIX):
            return RememberingEncoder(LooksEncoder(self.named(name.removesuffix(SUFFIX))), self._room)
        folder = shipped_folder(name) if "/" not in name and shipped_card(name) else Path(name)
        card = read_card(folder) if folder.is_dir() else None
        if card is None or card.task != "classify":
            return RememberingEncoder(self._build_encoder(name), self._room)
        graph = OutputOf(self.graph(folder), EMBEDDING_OUTPUT)
        return GraphEncoder(graph, read_encoder_spec(card.spec, graph.identity.backend))
