"""Encoders that are known by name: a plain table of where each comes from, what it takes, and what it asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hemascope.core.errors import RecipeError
from hemascope.zoo.card import ModelCard
from hemascope.zoo.contamination import DINOBLOOM, NOTHING_OF_BLOOD, Seen, card_sources
from hemascope.zoo.encoder_entry import EncoderEntry
from hemascope.zoo.shipped import shipped_card

HUB = "https://huggingface.co"
ZENODO = "https://zenodo.org/records/10908163/files"

DINOBLOOM_TERMS = (
    "Apache-2.0: free to use, also commercially, with the license and the notices kept. It was trained on public sets "
    "of blood and marrow, whose own terms are not all as free."
)
NON_COMMERCIAL = (
    "CC-BY-NC-ND-4.0 and the conditions of its page: non-commercial academic research with attribution. No commercial "
    "use of it or of what derives from it, models trained on its outputs included; no redistribution. Each user "
    "registers there with an institutional address and is let in by its makers."
)
UNKNOWN_TERMS = "The license stands on the page of the weights: read it there first."


_VIT = {
    "s": (384, 22, "384x12x6/14"),
    "b": (768, 86, "768x12x12/14"),
    "l": (1024, 304, "1024x24x16/14"),
    "g": (1536, 1136, "gated 1536x40x24/14"),
}
"""Sizes of DINOv2: dimension, millions of parameters, and as ``nets.vit`` reads them."""


def _dinobloom(size: str) -> EncoderEntry:
    file = f"DinoBloom-{size.upper()}.pth"
    dimension, parameters, architecture = _VIT[size]
    return EncoderEntry(
        name=f"dinobloom_{size}",
        title=f"DinoBloom-{size.upper()} (Koch et al., MICCAI 2024): white cells of blood and marrow",
        dimension=dimension,
        crop_px=224,
        stain="Romanowsky",
        license="Apache-2.0",
        terms=DINOBLOOM_TERMS,
        layout="vit",
        architecture=architecture,
        url=f"{ZENODO}/{file}?download=1",
        file=file,
        revision="10908163",
        parameters=parameters,
        sources=DINOBLOOM,
    )


def _reddino(size: str, word: str) -> EncoderEntry:
    dimension, parameters, architecture = _VIT[size]
    return EncoderEntry(
        name=f"reddino_{size}",
        title=f"RedDino-{word} (Zedda et al., MICCAI 2025): red cells",
        dimension=dimension,
        crop_px=224,
        stain="Romanowsky",
        license="Apache-2.0",
        terms="Apache-2.0: free to use, also commercially, with the license and the notices kept.",
        layout="vit",
        architecture=architecture,
        url=f"{HUB}/Snarcy/RedDino-{word}/resolve/main/model.safetensors",
        file="model.safetensors",
        parameters=parameters,
    )


_ENTRIES = (
    EncoderEntry(
        name="hemascope-s",
        title="hemascope-s: our own small encoder of nucleated cells",
        dimension=None,
        crop_px=128,
        stain="Romanowsky",
        license="Apache-2.0",
        terms="Apache-2.0; its card gives credit to the data it was trained on.",
        layout="shipped",
        architecture="hemascope_s",
        url="",
        file="",
        transform="absorption",
    ),
    _dinobloom("s"),
    _dinobloom("b"),
    _dinobloom("l"),
    _dinobloom("g"),
    _reddino("s", "small"),
    _reddino("b", "base"),
    _reddino("l", "large"),
    EncoderEntry(
        name="uni",
        title="UNI (Chen et al., Nature Medicine 2024): tissue",
        dimension=1024,
        crop_px=224,
        stain="H&E",
        license="CC-BY-NC-ND-4.0",
        terms=NON_COMMERCIAL,
        layout="vit",
        architecture="1024x24x16/16",
        url=f"{HUB}/MahmoodLab/UNI/resolve/main/pytorch_model.bin",
        file="pytorch_model.bin",
        gated=True,
        parameters=303,
        sources=NOTHING_OF_BLOOD,
    ),
    EncoderEntry(
        name="conch",
        title="CONCH (Lu et al., Nature Medicine 2024): tissue with captions",
        dimension=512,
        crop_px=448,
        stain="H&E",
        license="CC-BY-NC-ND-4.0",
        terms=NON_COMMERCIAL,
        layout="conch",
        architecture="conch_ViT-B-16",
        url=f"{HUB}/MahmoodLab/CONCH/resolve/main/pytorch_model.bin",
        file="pytorch_model.bin",
        gated=True,
        parameters=90,
    ),
    EncoderEntry(
        name="virchow2",
        title="Virchow2 (Zimmermann et al., 2024): tissue",
        dimension=2560,
        crop_px=224,
        stain="H&E, immunohistochemistry",
        license="CC-BY-NC-ND-4.0",
        terms=NON_COMMERCIAL,
        layout="timm",
        architecture="virchow2",
        url=f"{HUB}/paige-ai/Virchow2/resolve/main/model.safetensors",
        file="model.safetensors",
        gated=True,
        parameters=631,
        sources=NOTHING_OF_BLOOD,
    ),
    EncoderEntry(
        name="resnet50",
        title="ResNet-50 of ImageNet, recipe A1 (Wightman et al., 2021): photographs",
        dimension=2048,
        crop_px=224,
        stain="none",
        license="Apache-2.0",
        terms="Apache-2.0; ImageNet's images are for non-commercial research.",
        layout="timm",
        architecture="resnet50.a1_in1k",
        url=f"{HUB}/timm/resnet50.a1_in1k/resolve/93271f4677dbf7b4d7f7e7d9d7811bd66c327e56/pytorch_model.bin",
        file="pytorch_model.bin",
        revision="93271f4677dbf7b4d7f7e7d9d7811bd66c327e56",
        parameters=24,
        sources=NOTHING_OF_BLOOD,
    ),
)

ENCODERS: Mapping[str, EncoderEntry] = {entry.name: entry for entry in _ENTRIES}
"""Every encoder with a name of its own; ``timm:NAME`` is built from ``TIMM``."""

TIMM = EncoderEntry(
    name="timm:NAME",
    title="Any model of timm with weights on its hub, such as timm:convnext_tiny.in12k_ft_in1k",
    dimension=None,
    crop_px=224,
    stain="none",
    license="unknown",
    terms=UNKNOWN_TERMS,
    layout="timm",
    architecture="NAME",
    url=f"{HUB}/timm/NAME/resolve/main/model.safetensors",
    file="model.safetensors",
)


DESCRIPTORS = "descriptors"
"""The handcrafted encoder: no weights, so nothing to pull, and nothing seen."""


def encoder_entry(name: str) -> EncoderEntry:
    """Return what is known of an encoder; hyphens and underscores in its name mean the same.

    Raises
    ------
    RecipeError
        If there is none of that name, or a name of timm does not say which weights.
    """
    alike = {known.replace("-", "_"): entry for known, entry in ENCODERS.items()}
    if name.replace("-", "_") in alike:
        return alike[name.replace("-", "_")]
    kind, _, model = name.partition(":")
    if kind != "timm":
        known = ", ".join((*ENCODERS, TIMM.name, DESCRIPTORS))
        raise RecipeError(f"there is no encoder '{name}'; choose one of {known}, or name a model folder")
    if not re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", model):
        raise RecipeError(
            f"'{name}' does not say which weights; name model and weights as timm does, such as timm:resnet50.a1_in1k"
        )
    return replace(TIMM, name=name, title=f"{model} of timm", architecture=model, url=TIMM.url.replace("NAME", model))


def has_seen(encoder: str | ModelCard, data_set: str) -> Seen:
    """Return whether the training of an encoder saw any of a data set: ``yes``, ``no`` or ``unknown``.

    Parameters
    ----------
    encoder
        A known name, or the card of a model folder. A card of published weights is looked up by the name they have
        here; of our own, the card lists the data.
    data_set
        A name in ``data.catalog``, or a published source such as ``raabin``; ``unknown`` is the answer for most
        that nobody has heard of.

    Raises
    ------
    RecipeError
        If no encoder has that name.
    """
    if encoder == DESCRIPTORS:
        return Seen.NO
    if isinstance(encoder, ModelCard):
        if encoder.origin is None:
            return card_sources(encoder).has_seen(data_set)
        entry = ENCODERS.get(encoder.origin.name, TIMM)
    else:
        entry = encoder_entry(encoder)
    if entry.layout == "shipped":
        card = shipped_card(entry.architecture)
        return card_sources(card).has_seen(data_set) if card else Seen.UNKNOWN
    return entry.sources.has_seen(data_set)
