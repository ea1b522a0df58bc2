"""Trained members to a model folder: one graph that answers for one bag, tensors, card."""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from hemascope.bags.model_spec import BagModelSpec
from hemascope.core.version import __version__
from hemascope.nets.bags.ensemble import BagEnsembleNet
from hemascope.nets.bags.net import BagNet
from hemascope.recipes.bags import BagTrainingRecipe
from hemascope.train.onnx_export import round_weights
from hemascope.train.package import SOFTWARE, Export, describe_credits, pack_model
from hemascope.zoo.card import ModelCard, TrainingFacts

OUTPUTS = ("logits", "attention", "embedding")
MOST_CELLS = 1 << 20
"""Of a bag that the graph is made for."""

_EXAMPLE_CELLS = 7
"""Of the bag that graph and members are compared on."""


def ship_bag_model(
    members: Sequence[BagNet],
    recipe: BagTrainingRecipe,
    spec: BagModelSpec,
    *,
    data: Mapping[str, Mapping[str, str]],
    figures: Mapping[str, float],
    command: str,
    folder: Path,
    license: str = "Apache-2.0",
    attribution: Sequence[str] = (),
) -> ModelCard:
    """Write the model folder, whole or not at all; an older one is replaced.

    Parameters
    ----------
    members
        M networks of the recipe's aggregator, in the order of the scales in ``spec``; they are left as they are.
    recipe
        As resolved.
    spec
        What the answering side must know.
    data
        Cohort to what names it: digests of manifest and features, patients, license.
    figures
        On out-of-fold or validation answers.
    command
        What was run, for the card.
    folder
        Where the model goes.
    license, attribution
        Of the weights, and what is to be said of the cohort.

    Returns
    -------
    The card as written.

    Raises
    ------
    ValueError
        If there are not as many members or columns of attention as ``spec`` says.
    WeightsError
        If graph and members disagree.
    """
    columns = {member.columns for member in members}
    if len(members) != spec.members or columns != {len(spec.attended)}:
        raise ValueError(
            f"{len(members)} members with {sorted(columns)} columns of attention do not fit a specification of "
            f"{spec.members} members and {len(spec.attended)}"
        )
    card = ModelCard(
        task="patient",
        name=recipe.name,
        version=recipe.version,
        license=license,
        attribution=list(attribution),
        files={},
        spec=spec.model_dump(mode="json"),
        validation=dict(figures),
        training=_training_facts(recipe, command, data),
    )
    return pack_model(folder, _export(members, spec.dimension), card, describe_bag_model)


def describe_bag_model(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    spec = BagModelSpec.model_validate(card.spec)
    tasks = "\n".join(f"- {task.name} ({task.kind.value}): {_outputs(task.outputs, task.unit)}" for task in spec.tasks)
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    data = "\n".join(
        f"- {name}: {', '.join(f'{key} {value}' for key, value in facts.items())}"
        for name, facts in card.training.data.items()
    )
    cells = spec.cells
    return (
        f"""---
license: {card.license.lower()}
library_name: hemascope
tags: [hematology, blood-smear, multiple-instance-learning]
---

# {card.name} {card.version}

**Research use only.** Not for diagnosis, not for decisions about patients.

{spec.members} {"network" if spec.members == 1 else "networks"} ({spec.aggregator}) that put the embedded cells of a
patient together and answer as one, by the mean of their probabilities:

{tasks}

Takes {spec.dimension} numbers a cell of the encoder {spec.encoder_name or "it was trained on"} (`{spec.encoder}`), and
of no other. Patients in training had {cells.least} to {cells.greatest} cells, half of them {cells.median:g} or more; a
bag of fewer than {cells.first_percentile:g} gets no answer. Attention says which cells weighed, not why.

**Not for**: other encoders, stains and specimens than those of its cohort; patients unlike those.
{_taxonomy(spec)}
## Trained by

    {card.training.command}

seed {card.training.seed}, recipe sha256 `{card.training.recipe_sha256}`, on

{data or "- no cohort is named"}

## On the answers that chose and calibrated

| | |
|---|---|
{figures}

{describe_credits(card) if card.attribution else ""}
""".rstrip()
        + "\n"
    )


def _training_facts(recipe: BagTrainingRecipe, command: str, data: Mapping[str, Mapping[str, str]]) -> TrainingFacts:
    software = {"hemascope": __version__, **{name: importlib.metadata.version(name) for name in SOFTWARE}}
    return TrainingFacts(
        command=command,
        seed=recipe.seed,
        recipe=recipe.model_dump(mode="json"),
        recipe_sha256=recipe.digest(),
        data={name: dict(facts) for name, facts in data.items()},
        software=software,
    )


def _export(members: Sequence[BagNet], dimension: int) -> Export:
    """Return how copies of the members, in evaluation mode and rounded, become one graph."""
    net = round_weights(copy.deepcopy(BagEnsembleNet(members)).eval())
    cells = torch.export.Dim("cells", min=1, max=MOST_CELLS)
    example = torch.randn(_EXAMPLE_CELLS, dimension, generator=torch.Generator().manual_seed(0))
    return Export(net, example, OUTPUTS, {0: cells})


def _outputs(outputs: Sequence[str], unit: str) -> str:
    return ", ".join(outputs) + (f" in {unit}" if unit else "")


def _taxonomy(spec: BagModelSpec) -> str:
    facts = spec.taxonomy
    if facts is None:
        return ""
    chosen = f"; a marrow is recommended from {facts.threshold:.3g} on" if facts.threshold is not None else ""
    return f"""
Classes are those of the table of diseases {facts.name} {facts.version} (sha256 `{facts.sha256}`). Malignancy is the sum
over {", ".join(facts.malignant)}{chosen}.
"""
