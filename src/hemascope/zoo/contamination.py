"""What the training of an encoder has seen: figures on such sets are no figures of an unseen laboratory.

The rule is strict. A set that holds images of a source counts as seen with its source, whatever the split; where its
makers do not list what they trained on, the answer is ``unknown``, and a protocol treats it as seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hemascope.zoo.card import ModelCard


class Seen(StrEnum):
    """Whether training saw any image of a set."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


SOURCES: Mapping[str, tuple[str, ...]] = {
    "pbc_acevedo": ("acevedo",),
    "pbc_acevedo_128": ("acevedo",),
    "txl_pbc_boxes": ("acevedo", "raabin"),
    "bccd": ("bccd",),
    "aybu_fields": ("aslan",),
    "wbc_seg": ("ssl_seg",),
    "chula_wbc_fields": ("chula_wbc",),
    "chula_rbc12": ("chula_rbc12",),
    "taleqani_all": ("taleqani",),
    "cnmc2019_fold1_128": ("cnmc2019",),
    "malaria_nih_gray50": ("malaria_nih",),
    "synthetic": (),
}
"""Data set to the published sources of its images; a name that is not here is taken for a source itself."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Which published sources a training saw.

    Attributes
    ----------
    seen
        Source to the answer.
    others
        The answer for every source that is not in ``seen``.
    evidence
        Where that can be read.
    """

    seen: Mapping[str, Seen] = field(default_factory=dict)
    others: Seen = Seen.UNKNOWN
    evidence: str = "its makers publish no list"

    def has_seen(self, data_set: str) -> Seen:
        """Return the worst answer over the sources of a data set: yes before unknown before no."""
        answers = {self.seen.get(source, self.others) for source in SOURCES.get(data_set, (data_set,))}
        return next((answer for answer in (Seen.YES, Seen.UNKNOWN) if answer in answers), Seen.NO)


_LISTED = (
    "bmc",
    "aml_hehr",
    "aml_matek",
    "raabin",
    "nuclick",
    "warty_pig",
    "lisc",
    "krd_wbc",
    "ssl_seg",
    "bccd",
    "aslan",
    "raabin_leukemia",
    "apl_aml",
    "backes",
)

DINOBLOOM = Sources(
    seen={**dict.fromkeys(_LISTED, Seen.YES), "acevedo": Seen.UNKNOWN},
    others=Seen.NO,
    evidence=(
        "its README lists 15 sets and says 13 were trained on, not which: every listed one counts as seen. Acevedo is "
        "listed and was, by the scripts beside it, evaluated on; arXiv 2608.10657 says it was trained on: unknown"
    ),
)
NOTHING_OF_BLOOD = Sources(
    others=Seen.NO, evidence="its makers trained on tissue or on photographs, and name no set of blood"
)


def card_sources(card: ModelCard) -> Sources:
    """Return what one of our own models was trained on, by its card.

    Where training started from other weights, what those saw is not listed: no answer is then better than ``unknown``.
    """
    trained = {source for name in card.training.data for source in SOURCES.get(name, (name,))}
    started = card.spec.get("start") or card.training.recipe.get("start")
    return Sources(dict.fromkeys(trained, Seen.YES), Seen.UNKNOWN if started else Seen.NO, "its card")
