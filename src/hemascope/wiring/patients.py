"""Models of patients, from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hemascope.core.errors import RecipeError, WeightsError
from hemascope.settings import Settings, read_settings

if TYPE_CHECKING:
    from hemascope.bags.ensemble import BagEnsemble
    from hemascope.core.ports import TensorGraph
    from hemascope.zoo.card import ModelCard


def build_bag_model(
    folder: Path, backend: str = "onnxruntime", precision: str = "fp32", settings: Settings | None = None
) -> BagEnsemble:
    """Return the ensemble in a model folder; a ``BagModel``. Research use only.

    Parameters
    ----------
    folder
        As ``hemascope train bags`` writes it.
    backend
        ``onnxruntime``, or ``openvino`` where that extra is installed.
    precision
        ``fp32``; or ``bf16`` of openvino, where the processor computes with it.
    settings
        Threads; from the environment where None.

    Raises
    ------
    WeightsError
        If the folder is damaged or holds no model of patients.
    RecipeError
        If there is no such backend, or it has no such precision.
    MissingExtraError
        If the backend is not installed.
    """
    from hemascope.bags.ensemble import BagEnsemble
    from hemascope.bags.model_spec import BagModelSpec
    from hemascope.zoo.card import CARD_FILE, read_card

    if not (folder / CARD_FILE).exists():
        _explain_run(folder, CARD_FILE)
    card = read_card(folder)
    if card.task != "patient":
        raise WeightsError(f"{folder} holds a model to {card.task}, none of patients; name a folder that holds one")
    spec = BagModelSpec.read(card.spec, str(folder))
    return BagEnsemble(_graph(folder, card, backend, precision, (settings or read_settings()).threads), spec)


def _explain_run(folder: Path, card: str) -> None:
    """Raise ``WeightsError`` where a folder without a card is that of a run, or of a run that is not finished."""
    from hemascope.app.bag_run import INPUTS_FILE

    if (folder / "model" / card).exists():
        raise WeightsError(f"{folder} is the folder of a run, its model lies in {folder / 'model'}; name that")
    if (folder.parent / INPUTS_FILE).exists():
        raise WeightsError(
            f"{folder} holds no model: the training in {folder.parent} is not finished; run its command again, and it "
            "goes on from its newest checkpoint"
        )


def _graph(folder: Path, card: ModelCard, backend: str, precision: str, threads: int) -> TensorGraph:
    if backend == "onnxruntime":
        from hemascope.zoo.onnx_graph import OnnxGraph

        return OnnxGraph(folder, card, threads, precision)
    if backend == "openvino":
        from hemascope.zoo.openvino_graph import OpenVinoGraph

        return OpenVinoGraph(folder, card, precision, threads, whole=True)
    raise RecipeError(f"a model of patients has no backend '{backend}'; choose onnxruntime or openvino")
