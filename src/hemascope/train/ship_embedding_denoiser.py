"""The trained denoiser of embeddings to a model folder: space, graph, tensors, card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hemascope.core.provenance import ModelIdentity
from hemascope.denoise.embedding_space import SPACE_FILE, EmbeddingSpace
from hemascope.nets.embedding_denoiser import EmbeddingResidual
from hemascope.recipes import EmbeddingDenoiserRecipe
from hemascope.train.package import Export, attributions, describe_credits, describe_data, pack_model, training_facts
from hemascope.zoo.card import ModelCard
from hemascope.zoo.plain_tensors import tensors_to_bytes


class TorchResidual:
    """The network before it is a graph; a ``DenoiserGraph``."""

    def __init__(self, net: EmbeddingResidual, name: str, version: str) -> None:
        self._net = net
        self._identity = ModelIdentity(name, version, "", "torch-cpu-fp32", "Apache-2.0")

    @property
    def identity(self) -> ModelIdentity:
        """What answers."""
        return self._identity

    @torch.no_grad()
    def run(
        self, noised: NDArray[np.float32], times: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return N x M numbers for N noised samples, times and one-hot rows."""
        arrays = (torch.from_numpy(np.ascontiguousarray(array)) for array in (noised, times, conditions))
        return np.asarray(self._net(*arrays).numpy(), np.float32)


def ship_embedding_denoiser(
    recipe: EmbeddingDenoiserRecipe,
    root: Path,
    net: EmbeddingResidual,
    space: EmbeddingSpace,
    spec: Mapping[str, Any],
    figures: Mapping[str, float],
    folder: Path,
    command: str,
) -> ModelCard:
    """Write the model folder.

    Parameters
    ----------
    root
        Folder of the public sets.
    net
        Its large weights rounded to half precision.
    space
        What samples are made by.
    spec
        What the answering side must know; see ``app.embedding_judge.judge_spec``.
    figures
        On validation splits.
    folder
        Where the model goes; an older one is replaced.
    command
        What was run, for the card.

    Returns
    -------
    The card as written.
    """
    classes, length = space.centers.shape
    names = [recipe.data_set, *recipe.beside]
    card = ModelCard(
        task="denoise",
        name=recipe.name,
        version=recipe.version,
        license="Apache-2.0",
        attribution=attributions(names),
        files={},
        spec=dict(spec),
        validation=dict(figures),
        training=training_facts(recipe, command, recipe.seed, names, root),
    )
    example = (torch.randn(3, length), torch.rand(3), torch.eye(classes)[:3])
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    export = Export(net.eval(), example, ("residual",), {0: batch})
    return pack_model(
        folder, export, card, describe_embedding_denoiser, {SPACE_FILE: tensors_to_bytes(space.tensors())}
    )


def describe_embedding_denoiser(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, diffusion]
---

# {card.name} {card.version}

Says how well each type explains a cell: tells the noise in noised embeddings by {card.spec["encoder_choice"]}, type by
type ({", ".join(card.spec["classes"])}). The type under which it errs least explains the cell best; how far it is ahead
gives a confidence, and how much is left unexplained an anomaly. Research use only.

**Not for**: diagnosis; embeddings of other weights; stains other than Romanowsky.

{describe_data(card)}

## On the validation splits, which chose and calibrated

Cells are strange where they are left unexplained beyond the threshold.

| | |
|---|---|
{figures}

Figures on test splits stand in docs/benchmarks.md.

{describe_credits(card)}
"""
