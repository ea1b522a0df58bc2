"""Fitted attribute heads to a model folder: tensors, card, a page for readers; complete or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hemascope.classify.attribute_heads import AttributeHeads, heads_to_spec, heads_to_tensors
from hemascope.core.errors import OutputError
from hemascope.recipes import AttributeTrainingRecipe
from hemascope.train.package import attributions, describe_credits, describe_data, training_facts
from hemascope.zoo.card import CARD_FILE, TENSORS_FILE, ModelCard
from hemascope.zoo.plain_tensors import tensors_to_bytes

DATA_SETS = ("pbc_acevedo", "pbc_acevedo_128")


def ship_attributes(
    recipe: AttributeTrainingRecipe,
    root: Path,
    heads: AttributeHeads,
    extra: Mapping[str, Any],
    figures: Mapping[str, float],
    folder: Path,
    command: str,
) -> ModelCard:
    """Write the model folder.

    Parameters
    ----------
    root
        Folder of the public sets.
    heads
        What was fitted.
    extra
        What else the answering side must know: names and crops of the encoders.
    figures
        On validation splits.
    folder
        Where the model goes; an older one is replaced.
    command
        What was run, for the card.

    Returns
    -------
    The card as written.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    data = tensors_to_bytes(heads_to_tensors(heads))
    card = ModelCard(
        task="attributes",
        name=recipe.name,
        version=recipe.version,
        license="Apache-2.0",
        attribution=attributions(DATA_SETS),
        files={TENSORS_FILE: hashlib.sha256(data).hexdigest()},
        spec=heads_to_spec(heads) | dict(extra),
        validation={name: round(value, 6) for name, value in figures.items()},
        training=training_facts(recipe, command, 0, DATA_SETS, root),
    )
    try:
        _write(folder, data, card)
    except OSError as error:
        raise OutputError.at(folder, error) from error
    return card


def _write(folder: Path, data: bytes, card: ModelCard) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / TENSORS_FILE).write_bytes(data)
    (partial / CARD_FILE).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    (partial / "README.md").write_text(describe_attributes(card), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def describe_attributes(card: ModelCard) -> str:
    """Return the card for readers, in the style of Hugging Face model cards."""
    questions = "\n".join(
        f"| {q['name']} | {', '.join(q['values'])} | {', '.join(q['cell_types'])} | {q['temperature']:.2f} |"
        for q in card.spec["questions"]
    )
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in card.validation.items())
    return f"""---
license: apache-2.0
library_name: hemascope
tags: [hematology, blood-smear, morphology]
---

# {card.name} {card.version}

Says what a cell looks like, in the words of WBCAtt, and the stage of neutrophils and immature granulocytes: linear
heads on embeddings by {card.spec["encoder_choice"]}. Research use only.

**Not for**: diagnosis; types of cell that a question is not asked of; stains other than Romanowsky. One laboratory and
one camera were seen; the attributes were learned from about two hundred cells.

| question | answers | asked of | temperature |
|---|---|---|---|
{questions}

{describe_data(card)}

## On validation splits, which chose penalties and temperatures

| | |
|---|---|
{figures}

{describe_credits(card)}
"""
