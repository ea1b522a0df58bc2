"""Scientific choices, frozen: a recipe changes results, so it is resolved, shown, digested and saved.

A recipe is a TOML file read into one of the models below. An unknown key or a value outside its range is an
error that names the file and the key.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from hemascope.core.errors import RecipeError
from hemascope.core.morphology import FINDINGS, Grade
from hemascope.core.taxonomy import CellType

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Percent = Annotated[float, Field(ge=0, le=100)]


SEGMENTER_NAMES = r"^(classical|outlines|(network|stardist|cellpose|instanseg)(:.+)?)$"
"""What a segmenter can be called, as a regular expression."""


class Recipe(BaseModel):
    """Base of every recipe: frozen, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def digest(self) -> str:
        """Return the sha256 of the recipe's canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class Prior(Recipe):
    """An assumed share of each cell type among nucleated cells (and platelets taken for them).

    Attributes
    ----------
    name
        What to call it in a report.
    source
        Where the shares come from, in words.
    shares
        Every ``CellType`` to its share; positive, normalized to sum 1.
    """

    name: str
    source: str
    shares: dict[CellType, Positive]

    @model_validator(mode="after")
    def _complete(self) -> Prior:
        missing = [t.value for t in CellType if t not in self.shares]
        if missing:
            raise ValueError(f"a prior needs a share for every type; missing: {', '.join(missing)}")
        total = sum(self.shares.values())
        object.__setattr__(self, "shares", {t: self.shares[t] / total for t in CellType})
        return self


class GradeLimits(Recipe):
    """Percentages that one grade covers.

    Attributes
    ----------
    at_least, above
        Lower limit, with or without the limit itself; exactly one of the two.
    at_most, below
        Upper limit, with or without the limit itself; at most one of the two, neither for up to 100%.
    """

    at_least: Percent | None = None
    above: Percent | None = None
    at_most: Percent | None = None
    below: Percent | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> GradeLimits:
        if (self.at_least is None) == (self.above is None):
            raise ValueError("a grade needs one lower limit: at_least or above")
        if self.at_most is not None and self.below is not None:
            raise ValueError("a grade takes one upper limit: at_most or below")
        top, closed = self.top
        if self.bottom > top or (self.bottom == top and not (closed and self.at_least is not None)):
            raise ValueError(f"a grade from {self.bottom:g} to {top:g} percent holds nothing")
        return self

    @property
    def bottom(self) -> float:
        """Lower limit in percent."""
        return self.at_least if self.at_least is not None else self.above or 0.0

    @property
    def top(self) -> tuple[float, bool]:
        """Upper limit in percent, and whether the grade holds the limit itself."""
        if self.below is not None:
            return self.below, False
        return (100.0 if self.at_most is None else self.at_most), True

    def holds(self, percent: float) -> bool:
        """Return whether ``percent`` has this grade."""
        top, closed = self.top
        enough = percent >= self.bottom if self.at_least is not None else percent > self.bottom
        return enough and (percent <= top if closed else percent < top)


class GradingRow(Recipe):
    """The grades of one finding; they touch without gap or overlap, and the highest reaches 100%.

    Attributes
    ----------
    few, moderate, many
        Limits of 1+, 2+ and 3+; what lies below the lowest has no grade.
    verified
        Whether the numbers were checked against their source.
    source
        Where they come from, where it is not the table's source.
    """

    few: GradeLimits | None = None
    moderate: GradeLimits | None = None
    many: GradeLimits | None = None
    verified: bool = False
    source: str = ""

    @model_validator(mode="after")
    def _touching(self) -> GradingRow:
        steps = self._steps()
        if not steps:
            raise ValueError("a finding needs limits for at least one of few, moderate and many")
        for (name, lower), (next_name, upper) in itertools.pairwise(steps):
            top, closed = lower.top
            if upper.bottom > top or (upper.bottom == top and not closed and upper.at_least is None):
                raise ValueError(
                    f"there is a gap between {name} and {next_name} at {top:g} to {upper.bottom:g} percent"
                )
            if upper.bottom < top or (closed and upper.at_least is not None):
                raise ValueError(f"{name} and {next_name} overlap at {upper.bottom:g} to {top:g} percent")
        name, highest = steps[-1]
        if highest.top != (100.0, True):
            raise ValueError(f"there is a gap above {name}, which ends at {highest.top[0]:g} percent")
        return self

    def _steps(self) -> list[tuple[str, GradeLimits]]:
        """Return the grades that have limits, the lowest first."""
        every = (("few", self.few), ("moderate", self.moderate), ("many", self.many))
        return [(name, limits) for name, limits in every if limits is not None]

    def grade(self, percent: float) -> Grade:
        """Return the grade of a share in percent, 0 to 100."""
        names = {"few": Grade.FEW, "moderate": Grade.MODERATE, "many": Grade.MANY}
        return next((names[name] for name, limits in self._steps() if limits.holds(percent)), Grade.BELOW)


class Grading(Recipe):
    """A laboratory's table for grading red cells, and the limits that belong to it.

    Attributes
    ----------
    name, version, source
        What to call it in a report, its version, and where its numbers come from.
    least_cells
        Fewest red cells for a grade; below it, grades are withheld.
    anisocytosis_percent
        A red cell counts for anisocytosis where its diameter differs from the median by more than this.
    microcyte_below_um, macrocyte_above_um
        Diameters of microcytes and macrocytes on the smear.
    schistocyte_limit_percent
        Schistocytes above this share count as increased.
    giant_platelet_above_um
        Diameter of giant platelets.
    platelet_field_mm2, platelet_factor
        Area of the field that the classic estimate was made for, and 10^9/L for each platelet in it.
    findings
        Finding to its grades; one that is not named gets none.
    """

    name: str
    version: str
    source: str
    least_cells: Count = 1000
    anisocytosis_percent: Positive = 15.0
    microcyte_below_um: Positive = 6.0
    macrocyte_above_um: Positive = 9.0
    schistocyte_limit_percent: Percent = 1.0
    giant_platelet_above_um: Positive = 7.5
    platelet_field_mm2: Positive = 0.0314
    platelet_factor: Positive = 15.0
    findings: dict[str, GradingRow]

    @model_validator(mode="after")
    def _known(self) -> Grading:
        unknown = sorted(set(self.findings) - set(FINDINGS))
        if unknown:
            raise ValueError(f"unknown findings: {', '.join(unknown)}; there are: {', '.join(FINDINGS)}")
        if self.microcyte_below_um >= self.macrocyte_above_um:
            raise ValueError("microcyte_below_um must be less than macrocyte_above_um")
        return self


class AnalysisRecipe(Recipe):
    """What `hemascope analyze` decides by.

    Attributes
    ----------
    segmenter
        ``network`` (the shipped finder), ``network:FOLDER`` (one trained otherwise),
        ``classical`` (stain, Otsu, distances: no weights), ``outlines`` (imported),
        or a peer with its weights: ``stardist``, ``cellpose`` or ``instanseg``, then ``:MODEL`` and ``@MPP`` at need.
    prior
        Name of a shipped prior (``even``, ``adult_blood``) or path of a prior file.
    min_confidence
        A cell whose highest probability is below this stays unidentified.
    max_anomaly
        A cell further than this many thresholds from everything seen in training stays unidentified.
    scale_sample
        Fields looked at to estimate the scale of a smear without one.
    grading
        Name of a shipped grading table (``icsh_2015``) or path of a grading file.
    red_cells
        Whether red cells are typed.
    attributes
        Whether subtypes and attributes of white cells are told, where a model for them is installed.
    generative
        What a generative model does, where one is installed: ``beside`` (it decides nothing), ``cascade`` (heard where
        the classifier is uncertain) or ``off``.
    generative_abstention
        Whether a cell that the generative model finds strange, or of another type, stays unidentified.
    explain
        Cells explained: those whose two likeliest types are closest, each toward the second; 0 for none.
    explain_as
        Types that these cells are explained toward besides.
    explain_model
        Folder of the denoiser of images that explains; None for the shipped one.
    specimen
        ``blood`` or ``marrow``: everything runs on a marrow film too; the report says that nothing was validated there.
    patient_model
        Folder of a model of patients, asked about all cells together; None for none. Research use only.
    patient_encoder
        Name or folder of the encoder that embeds cells for it; None to find the one it was made for.
    """

    segmenter: Annotated[str, Field(pattern=SEGMENTER_NAMES)] = "network"
    prior: str = "adult_blood"
    min_confidence: Share = 0.6
    max_anomaly: Positive = 1.0
    scale_sample: Count = 12
    grading: str = "icsh_2015"
    red_cells: bool = True
    attributes: bool = True
    generative: Literal["beside", "cascade", "off"] = "beside"
    generative_abstention: bool = False
    explain: Annotated[int, Field(ge=0)] = 0
    explain_as: tuple[CellType, ...] = ()
    explain_model: str | None = None
    specimen: Literal["blood", "marrow"] = "blood"
    patient_model: str | None = None
    patient_encoder: str | None = None


class CropSource(Recipe):
    """One data set to train or validate the cell classifier on.

    Attributes
    ----------
    data_set
        Its name in the data catalog.
    weight
        Share of each batch drawn from it, relative to the others.
    mpp
        Assumed um per pixel of its fields; None for sets of crops.
    left_out
        Types of white cells that training and validation never see an image of: to measure what is said of new ones.
    """

    data_set: str
    weight: Positive = 1.0
    mpp: Positive | None = None
    left_out: tuple[CellType, ...] = ()

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the key out where no type is: recipes older than the key keep their digests."""
        values: dict[str, Any] = write(self)
        return {key: value for key, value in values.items() if key != "left_out" or value}


class TrainingRecipe(Recipe):
    """What every training is told.

    Attributes
    ----------
    name, version
        Of the model.
    seed
        Of the first weights, of every batch and of every augmentation.
    steps, batch, learning_rate, weight_decay, ema
        Of AdamW with a cosine schedule and an exponential moving average of the weights.
    validate_every, checkpoint_every
        In steps.
    """

    name: str
    version: str
    seed: int = 0
    steps: Count = 2000
    batch: Count = 64
    learning_rate: Positive = 2e-3
    weight_decay: float = 0.02
    ema: Share = 0.998
    validate_every: Count = 250
    checkpoint_every: Count = 100


class EarlyStoppingRecipe(TrainingRecipe):
    """What a training is told that keeps its best network and may stop early.

    Attributes
    ----------
    patience
        Validations without a better score after which training stops; 0 for never.
    """

    patience: Annotated[int, Field(ge=0)] = 0


class CropTrainingRecipe(TrainingRecipe):
    """How any classifier of crops is trained.

    Attributes
    ----------
    sources
        Data sets; only their train splits are learned from, only val splits choose anything.
    crop_px, crop_um
        Side of a crop in pixels and um.
    dropout, label_smoothing
        Of the embedding in training, and of the labels.
    """

    sources: tuple[CropSource, ...]
    crop_px: Count = 128
    crop_um: Positive = 36.0
    dropout: Share = 0.2
    label_smoothing: Share = 0.05


class EncoderSize(Recipe):
    """Size of the cell encoder; see ``nets.cell_encoder.EncoderShape``.

    Attributes
    ----------
    widths, blocks, stem_stride, instance_stages, margin_px, standard_radius_px
        As there.
    """

    widths: tuple[Count, ...] = (48, 96, 192, 256)
    blocks: tuple[Count, ...] = (2, 2, 2, 1)
    stem_stride: Annotated[int, Field(ge=2, le=8)] = 4
    instance_stages: Annotated[int, Field(ge=0)] = 4
    margin_px: Annotated[int, Field(ge=0)] = 16
    standard_radius_px: Annotated[float, Field(ge=0)] = 36.0

    @model_validator(mode="after")
    def _stages(self) -> EncoderSize:
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"{len(self.widths)} widths need as many blocks, not {len(self.blocks)}")
        return self


class CropAugmentation(Recipe):
    """How crops of white cells are changed at random.

    Attributes
    ----------
    density, channel, mix, light
        Strength of the color augmentation; see ``train.augment.ColorJitter``.
    gray
        Share of the crops whose color is taken away, each by a random mix of the channels.
    log_scale, shift
        Half-widths of the log of the magnification, and of the shift as a fraction of half the crop's side.
    degraded
        Share of the crops that are blurred, and share that are noisy.
    surroundings
        Share of the crops of which only the cell in the center is left.
    """

    density: Annotated[float, Field(ge=0)] = 0.4
    channel: Annotated[float, Field(ge=0)] = 0.35
    mix: Annotated[float, Field(ge=0)] = 0.15
    light: Annotated[float, Field(ge=0)] = 0.08
    gray: Share = 0.0
    log_scale: Annotated[float, Field(ge=0)] = 0.2
    shift: Annotated[float, Field(ge=0)] = 0.06
    degraded: Share = 0.4
    surroundings: Share = 0.0


class CellTrainingRecipe(CropTrainingRecipe):
    """How the cell classifier is trained (`hemascope train cells RECIPE`); see ``CropTrainingRecipe``.

    Attributes
    ----------
    network
        Size of the encoder.
    augmentation
        How crops are changed.
    mixing
        Share of the crops whose styles are mixed in early feature maps.
    mixup
        Two crops and their labels are mixed, by Beta(mixup, mixup); 0 for never (Zhang et al., ICLR 2018).
    start
        Model folder whose encoder training starts from; None for none.
    encoder
        Name under which its encoder is packed besides, without the head; None for not at all.
    second_opinion
        Whether a linear classifier of handcrafted descriptors is fitted, whose logits are added to the network's.
    """

    kind: Literal["cells"] = "cells"
    second_opinion: bool = False
    encoder: str | None = None
    crop_um: Positive = 32.0
    network: EncoderSize = EncoderSize()
    augmentation: CropAugmentation = CropAugmentation()
    mixing: Share = 0.0
    mixup: Annotated[float, Field(ge=0)] = 0.0
    start: str | None = None

    def left_out(self) -> tuple[CellType, ...]:
        """Return the types that every source leaves out: no center and no calibration is asked of them."""
        return tuple(t for t in CellType if all(t in source.left_out for source in self.sources))

    @model_validator(mode="after")
    def _second_opinion_of_every_type(self) -> CellTrainingRecipe:
        if self.second_opinion and self.left_out():
            raise ValueError("a second opinion needs every type; set second_opinion = false where types are left out")
        return self


class EncoderTrainingRecipe(TrainingRecipe):
    """How an encoder of cells learns without labels (`hemascope train encoder RECIPE`).

    Attributes
    ----------
    sources
        Data sets; the images of their train splits are looked at, their labels never.
    crop_px, crop_um
        Side of a crop in pixels and um.
    network, augmentation, mixing
        As in ``CellTrainingRecipe``.
    temperature
        Similarities are divided by it (SimCLR: Chen et al., ICML 2020).
    projection
        Length of the vectors that are compared.
    """

    kind: Literal["encoder"] = "encoder"
    sources: tuple[CropSource, ...]
    crop_px: Count = 128
    crop_um: Positive = 32.0
    network: EncoderSize = EncoderSize()
    augmentation: CropAugmentation = CropAugmentation()
    mixing: Share = 0.0
    temperature: Positive = 0.2
    projection: Count = 64
    batch: Count = 128


class DenoiserSize(Recipe):
    """Size of the denoiser of images; see ``nets.image_denoiser.DenoiserShape``.

    Attributes
    ----------
    patch, widths, blocks, condition
        As there.
    """

    patch: Count = 4
    widths: tuple[Annotated[int, Field(gt=0, multiple_of=8)], Annotated[int, Field(gt=0, multiple_of=8)]] = (96, 192)
    blocks: Count = 2
    condition: Count = 256


class DenoiserTrainingRecipe(TrainingRecipe):
    """How the denoiser of cell images is trained (`hemascope train denoiser RECIPE`).

    Attributes
    ----------
    sources
        Data sets; only their train splits are learned from, only val splits choose anything.
    crop_px, crop_um
        Side of a sample in pixels and um; a multiple of twice the network's patch.
    network
        Size of the network.
    augmentation
        How crops are changed: turned and mirrored always; color, size and place by as much as said here.
    gamma
        Losses are weighted by min(SNR, gamma) / (SNR + 1) (min-SNR: Hang et al., ICCV 2023, for velocities).
    mixup
        Two crops and their classes are mixed, by Beta(mixup, mixup), one weight a batch; 0 for never.
    nameless
        Share of the samples whose class is withheld, so that the network also knows cells of no class in particular.
    """

    kind: Literal["denoiser"] = "denoiser"
    sources: tuple[CropSource, ...]
    crop_px: Count = 64
    crop_um: Positive = 24.0
    network: DenoiserSize = DenoiserSize()
    augmentation: CropAugmentation = CropAugmentation()
    gamma: Positive = 5.0
    mixup: Annotated[float, Field(ge=0)] = 0.3
    nameless: Share = 0.1

    @model_validator(mode="after")
    def _folds(self) -> DenoiserTrainingRecipe:
        if self.crop_px % (2 * self.network.patch):
            raise ValueError(f"crop_px {self.crop_px} is no multiple of twice the patch of {self.network.patch} pixels")
        return self


class LatentSize(Recipe):
    """Size of a latent diffusion that starts from random weights; see ``nets.latent_unet`` and ``latent_autoencoder``.

    Attributes
    ----------
    channels, layers, heads, context_width
        Of the U-Net, as in ``UNetSize``.
    encoder_channels, encoder_layers
        Of the autoencoder, as in ``AutoencoderSize``.
    groups
        Of the normalizations of both.
    """

    channels: tuple[Count, ...] = (320, 640, 1280, 1280)
    layers: Count = 2
    heads: Count = 8
    context_width: Count = 768
    encoder_channels: tuple[Count, ...] = (128, 256, 512, 512)
    encoder_layers: Count = 2
    groups: Count = 32


class LatentTrainingRecipe(TrainingRecipe):
    """How the latent diffusion is trained (`hemascope train latent RECIPE`); its defaults are the published ones.

    Attributes
    ----------
    sources
        Data sets; only their train splits are learned from.
    crop_px, crop_um
        Side of a crop in pixels and um; a multiple of the autoencoder's reduction, 8 as published.
    start
        Folder of weights in the layout of diffusers, such as Stable Diffusion 1.5; None for random ones.
    network
        Size where ``start`` is None; a folder of weights states its own.
    gamma
        Losses are weighted by min(SNR, gamma) / SNR (min-SNR: Hang et al., ICCV 2023, for noise).
    noise_offset
        Deviation of what is added to the noise of a whole channel.
    mixup
        Two crops and their classes are mixed, by Beta(mixup, mixup), one weight a batch; 0 for never.
    """

    kind: Literal["latent"] = "latent"
    sources: tuple[CropSource, ...]
    crop_px: Count = 360
    crop_um: Positive = 36.0
    start: str | None = None
    network: LatentSize = LatentSize()
    gamma: Positive = 5.0
    noise_offset: Annotated[float, Field(ge=0)] = 0.1
    mixup: Annotated[float, Field(ge=0)] = 0.3
    steps: Count = 72_000
    learning_rate: Positive = 1e-5
    weight_decay: float = 0.01
    ema: Share = 0.9999
    validate_every: Count = 1000
    checkpoint_every: Count = 1000

    @model_validator(mode="after")
    def _reduced(self) -> LatentTrainingRecipe:
        reduction = 2 ** (len(self.network.encoder_channels) - 1)
        if self.start is None and self.crop_px % reduction:
            raise ValueError(f"crop_px {self.crop_px} is no multiple of the autoencoder's reduction of {reduction}")
        return self


class EmbeddingDenoiserRecipe(EarlyStoppingRecipe):
    """How the denoiser of embeddings is trained (`hemascope train embedding-denoiser RECIPE`).

    Attributes
    ----------
    data_set
        Cells to learn from: its train split is learned from, its val split chooses and calibrates.
    beside, beside_weight
        Further sets of typed cells whose train splits are learned from, and how often each of their cells counts: what
        differs between laboratories alone is then no anomaly.
    encoders
        Encoders by name or folder, those that stand side by side joined by ``+``; ``.looks`` after a name for the mean
        over four ways a crop can lie.
    shrinkages
        Shares of the identity in the covariance within classes that validation chooses from.
    width, blocks, dropout
        Of the network that learns what Gaussian classes leave unexplained.
    trials
        Passes a class that the calibration is made for, and that answer in ``hemascope analyze``; even.
    """

    kind: Literal["embedding_denoiser"] = "embedding_denoiser"
    data_set: str = "pbc_acevedo_128"
    beside: tuple[str, ...] = ()
    beside_weight: Count = 5
    encoders: str
    shrinkages: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = (0.03, 0.1, 0.3)
    width: Count = 384
    blocks: Count = 2
    dropout: Share = 0.2
    trials: Annotated[int, Field(gt=0, multiple_of=2)] = 32


class RedCellTrainingRecipe(CropTrainingRecipe, EarlyStoppingRecipe):
    """How the red cell classifier is trained (`hemascope train red-cells RECIPE`).

    Attributes
    ----------
    sources
        Data sets of fields with points; every one needs its ``mpp``.
    crop_px, crop_um
        As in ``CropTrainingRecipe``, smaller: a red cell is smaller than a white cell.
    widths, blocks
        Of ``nets.cell_net.CellNet``.
    shift_um
        Crops are cut off center by up to this much along each axis: a labeled point is no center.
    log_scale
        Half-width of the log of the magnification: small, because macrocytes and microcytes are told by size.
    color
        Strength of the color augmentation relative to the cell classifier's: pallor tells types.
    """

    kind: Literal["red_cells"] = "red_cells"
    crop_px: Count = 64
    crop_um: Positive = 12.8
    widths: tuple[int, ...] = (16, 32, 64, 128)
    blocks: tuple[int, ...] = (1, 2, 2, 2)
    shift_um: Annotated[float, Field(ge=0)] = 1.2
    log_scale: Annotated[float, Field(ge=0)] = 0.06
    color: Annotated[float, Field(ge=0)] = 0.5


class LeukemiaTrainingRecipe(TrainingRecipe):
    """How HMSCAM and what it is compared with are trained and measured (`hemascope bench leukemia --recipe RECIPE`).

    Attributes
    ----------
    input_px
        Side of the input in pixels, 64 or more; a multiple of the transformer's patch.
    width, last_stride
        Of the backbone; see ``nets.resnet.ResNet50``. 64 and 2 are the published network.
    pooling
        Of the channel attention: ``mean``, or ``mean_max``.
    segmentation
        ``none``, or ``both``: every field and its color-thresholded copy, one group, learned and answered together.
    sampler, weighted_loss
        Whether classes are drawn evenly, and whether the loss evens out what imbalance is left.
    color, log_scale
        Strength of the color augmentation relative to the cell classifier's, and half-width of the log magnification.
    label_smoothing
        Of the labels.
    seeds
        Of the headline; the first is that of everything else.
    ablation_seeds
        Of the ablation and of the other networks.
    shares
        Of the training fields in the curve by sample size, besides all of them.
    rotations
        Parts that the stain clusters are dealt into.
    start
        File of ImageNet weights in the layout of torchvision's ResNet50; None for random weights.
    vit
        Width, depth, heads and patch in pixels of the transformer; see ``nets.vit.VitSize``.
    """

    kind: Literal["leukemia"] = "leukemia"
    input_px: Annotated[int, Field(ge=64)] = 224
    width: Annotated[int, Field(gt=0, le=64)] = 64
    last_stride: Annotated[int, Field(ge=1, le=2)] = 2
    pooling: Literal["mean", "mean_max"] = "mean"
    segmentation: Literal["none", "both"] = "none"
    sampler: bool = True
    weighted_loss: bool = True
    color: Annotated[float, Field(ge=0)] = 1.0
    log_scale: Annotated[float, Field(ge=0)] = 0.1
    label_smoothing: Share = 0.05
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1, 2, 3, 4)
    ablation_seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.25, 0.5, 0.75)
    rotations: Annotated[int, Field(ge=2)] = 4
    start: str | None = None
    vit: tuple[Count, Count, Count, Count] = (384, 12, 6, 14)

    @model_validator(mode="after")
    def _patches(self) -> LeukemiaTrainingRecipe:
        if self.input_px % self.vit[-1]:
            raise ValueError(f"input_px {self.input_px} is no multiple of the patch of {self.vit[-1]} pixels")
        return self


class AttributeTrainingRecipe(Recipe):
    """How heads for attributes and subtypes are fitted (`hemascope train attributes RECIPE`).

    Attributes
    ----------
    name, version
        Of the model.
    choices
        Encoders by name or folder, those that stand side by side joined by ``+``; validation cells choose one.
    penalties
        Values of C that validation cells choose from, a head at a time.
    """

    kind: Literal["attributes"] = "attributes"
    name: str
    version: str
    choices: Annotated[tuple[str, ...], Field(min_length=1)]
    penalties: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


class FieldSource(Recipe):
    """One data set to train or validate the finder on.

    Attributes
    ----------
    data_set
        Its name in the data catalog, or ``synthetic`` for smears painted on the fly.
    weight
        Share of each batch drawn from it, relative to the others.
    mpp
        Assumed um per pixel; a mapping from the record's ``source`` to a value where subsets differ.
    label_version
        Which boxes to learn from, where a set has several.
    nuclei
        Whether the optics are good enough for a threshold to tell nuclei inside boxes.
    """

    data_set: str
    weight: Positive = 1.0
    mpp: Positive | dict[str, Positive] | None = None
    label_version: str = "best"
    nuclei: bool = True


class SegmenterTrainingRecipe(EarlyStoppingRecipe):
    """How the finder is trained (`hemascope train segmenter RECIPE`).

    Attributes
    ----------
    sources
        Data sets; only their train splits are learned from, only val splits choose anything.
    mpp
        Scale the network works at, um per pixel.
    rays
        Directions of a star-convex outline.
    crop_px
        Side of a training view in pixels at ``mpp``.
    synthetic_fields
        Number of generated fields painted before training.
    start
        Model folder whose weights training starts from; None for none.
    """

    kind: Literal["segmenter"] = "segmenter"
    sources: tuple[FieldSource, ...]
    mpp: Positive = 0.2
    rays: Count = 32
    widths: tuple[int, ...] = (24, 40, 64, 96, 128)
    crop_px: Count = 192
    synthetic_fields: Annotated[int, Field(ge=0)] = 0
    start: str | None = None
    batch: Count = 12
    weight_decay: float = 0.01


class FineTuneRecipe(EarlyStoppingRecipe):
    """How a trained finder learns a laboratory's own outlines (`hemascope train finetune`).

    Attributes
    ----------
    crop_px
        Side of a training view in pixels at the finder's scale.
    val_share
        Share of the images that only chooses: when to stop, the thresholds.
    synthetic_fields, synthetic_share
        Generated fields, and their share of each batch, which keep the finder from forgetting other cells and looks.
    validation_views
        Views of the validation images on which the losses are followed.
    mpp
        Scale to work at from now on, um per pixel; None for that of the finder it starts from.
    """

    kind: Literal["finetune"] = "finetune"
    name: str = "finder_finetuned"
    version: str = "1"
    steps: Count = 300
    batch: Count = 8
    learning_rate: Positive = 3e-4
    weight_decay: float = 0.01
    ema: Share = 0.97
    validate_every: Count = 25
    checkpoint_every: Count = 50
    patience: Annotated[int, Field(ge=0)] = 4
    crop_px: Annotated[int, Field(gt=0, multiple_of=32)] = 192
    val_share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    synthetic_fields: Annotated[int, Field(ge=0)] = 24
    synthetic_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    validation_views: Count = 24
    mpp: Positive | None = None


R = TypeVar("R", bound=Recipe)


def override(recipe: R, **values: object) -> R:
    """Return a recipe with some values replaced; those that are None stay.

    Raises
    ------
    RecipeError
        If a value is invalid, or no such key exists.
    """
    given = {key: value for key, value in values.items() if value is not None}
    try:
        return type(recipe).model_validate({**recipe.model_dump(), **given})
    except ValidationError as error:
        raise RecipeError(f"{_faults(error)}; see docs/recipes.md") from error


def load_recipe(path: Path, model: type[R]) -> R:
    """Read a recipe file.

    Raises
    ------
    RecipeError
        If the file cannot be read, is not TOML, or holds an unknown key or an invalid value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not a TOML file ({error}); see docs/recipes.md") from error
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{path}: {_faults(error)}; see docs/recipes.md") from error


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
