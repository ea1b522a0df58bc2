"""The encoder that a model of patients was made for, found among those on this machine by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hemascope.core.embedding import EncoderSpec, encoder_digest, short_digest
from hemascope.core.errors import CohortError, WeightsError
from hemascope.core.provenance import ModelIdentity
from hemascope.settings import Settings, read_settings

BACKEND = "onnxruntime-cpu-fp32"
"""What `analyze` runs encoders on; embeddings of another one have another digest."""


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """An encoder on this machine as it would answer, without its weights read.

    Attributes
    ----------
    name
        By which it can be built: a name of the registry, or a folder.
    identity, spec
        As the encoder's.
    """

    name: str
    identity: ModelIdentity
    spec: EncoderSpec

    @property
    def digest(self) -> str:
        """As in ``core.embedding.encoder_digest``."""
        return encoder_digest(self.identity, self.spec)


def find_encoder(digest: str, settings: Settings | None = None, called: str = "") -> str:
    """Return the name or folder of the installed encoder whose embeddings have a digest.

    Parameters
    ----------
    digest
        As in ``core.embedding.encoder_digest``.
    settings
        Where pulled encoders lie; from the environment where None.
    called
        What the model calls it, for the message; "" where it does not say.

    Raises
    ------
    CohortError
        If none has it; names those that there are.
    """
    known = list(known_encoders(settings or read_settings()))
    for encoder in known:
        if encoder.digest == digest:
            return encoder.name
    wanted = f"{called} ({short_digest(digest)})" if called else short_digest(digest)
    there = ", ".join(f"{encoder.name} ({encoder.digest[:12]})" for encoder in known)
    raise CohortError(
        f"the model of patients takes embeddings of the encoder {wanted}, which is not on this machine; there are "
        f"{there}: pull it (hemascope models pull NAME), or name its folder with --patient-encoder; where its cohort "
        "was cut at another width (embed --crop-um), embed and train again without"
    )


def known_encoders(settings: Settings) -> Iterator[KnownEncoder]:
    """Yield the encoders on this machine: the handcrafted one, those of the registry, other folders that were pulled.

    Each comes as it is and as the mean over its looks. Damaged folders are left out.
    """
    from hemascope.embed.descriptor_encoder import DescriptorEncoder
    from hemascope.embed.looks import SUFFIX, LooksEncoder
    from hemascope.zoo.registry import DESCRIPTORS

    plain = DescriptorEncoder()
    yield KnownEncoder(DESCRIPTORS, plain.identity, plain.spec)
    yield KnownEncoder(DESCRIPTORS + SUFFIX, LooksEncoder(plain).identity, plain.spec)
    for name, folder in _folders(settings.models):
        try:
            identity, spec = _described(folder)
        except WeightsError:
            continue
        yield KnownEncoder(name, identity, spec)
        yield KnownEncoder(name + SUFFIX, replace(identity, name=identity.name + SUFFIX), spec)


def _folders(models: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and folder; an encoder of the registry by its name, so that parts of an analysis share it."""
    from hemascope.zoo.card import CARD_FILE
    from hemascope.zoo.installed import folder_of, is_installed
    from hemascope.zoo.registry import ENCODERS

    seen: set[Path] = set()
    for entry in ENCODERS.values():
        if is_installed(entry, models):
            seen.add(folder_of(entry, models))
            yield entry.name.replace("-", "_"), folder_of(entry, models)
    for card in sorted(models.glob(f"*/{CARD_FILE}")):
        if card.parent not in seen:
            yield str(card.parent), card.parent


def _described(folder: Path) -> tuple[ModelIdentity, EncoderSpec]:
    """Return what an encoder's card says of it; raise ``WeightsError`` where it is no encoder's card."""
    from hemascope.embed.graph_encoder import read_encoder_spec
    from hemascope.zoo.card import GRAPH_FILE, read_card

    card = read_card(folder)
    if card.task != "embed" or GRAPH_FILE not in card.files:
        raise WeightsError(f"{folder} holds no encoder that can answer; name a folder that holds one")
    identity = ModelIdentity(card.name, card.version, card.files[GRAPH_FILE], BACKEND, card.license)
    return identity, read_encoder_spec(card.spec, BACKEND)
