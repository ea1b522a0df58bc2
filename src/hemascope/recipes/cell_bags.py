"""Recipe of models of patients that are trained from the pictures of cells on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hemascope.recipes import Count, Positive, Recipe, Share


class CellBagRecipe(Recipe):
    """How an encoder of cells and what stands on it learn together from labels of patients alone.

    Nothing is chosen while it learns: it ends after ``epochs``, at a rate that falls to zero as a cosine.

    Attributes
    ----------
    name, version, source
        What it is called, and where its choices come from, in words.
    bag
        Cells of every bag, in training drawn anew each time.
    bags
        Bags a step, half of each kind of patient.
    epochs
        Passes over as many bags as there are training patients.
    number_epochs
        The same for cells that come as numbers instead of pictures; they cost little.
    learning_rate, weight_decay
        Of AdamW.
    width
        Channels of the encoder's first layer; see ``hemascope.nets.small_cell_encoder``.
    number_width
        Hidden units for cells that come as numbers.
    attention_width
        Hidden units of the gated attention.
    top
        Cells whose evidence, the greatest of a bag, is averaged.
    dropout
        Share of a cell's numbers left out in training.
    smoothing
        Target of a patient without the disease; 1 less it is that of one with it.
    cell_weight
        Weight of the loss in which every cell takes its patient's label.
    brightness
        A picture's contrast is multiplied by a factor between this and its inverse in training.
    frozen
        Whether the encoder keeps its first weights.
    folds, repeats
        Of the cross-validation.
    draws
        Bags of a patient whose answers are averaged in the row of many draws.
    seed
        Of everything drawn.
    """

    name: str
    version: str
    source: str = ""
    bag: Count = 13
    bags: Annotated[int, Field(ge=2, multiple_of=2)] = 8
    epochs: Count = 25
    number_epochs: Count = 60
    learning_rate: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    width: Count = 12
    number_width: Count = 64
    attention_width: Count = 64
    top: Count = 3
    dropout: Share = 0.2
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.02
    cell_weight: Annotated[float, Field(ge=0)] = 0.3
    brightness: Annotated[float, Field(gt=0, le=1)] = 0.8
    frozen: bool = False
    folds: Annotated[int, Field(ge=2)] = 5
    repeats: Count = 3
    draws: Count = 20
    seed: Annotated[int, Field(ge=0)] = 0
