"""The networks that ``hemascope bench leukemia`` trains, each in a folder of its own with what it answered."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemascope.app.bench_fields import Progress
from hemascope.app.bench_record import draft_of, write_text
from hemascope.app.leukemia_costs import seconds_per_image
from hemascope.core.errors import OutputError
from hemascope.evaluate.attention_stability import mutual_information, relative_difference
from hemascope.evaluate.robustness import PERTURBATIONS, perturbed
from hemascope.recipes import LeukemiaTrainingRecipe

if TYPE_CHECKING:
    from torch import nn

    from hemascope.nets.hmscam import Hmscam
    from hemascope.train.leukemia import Trial
    from hemascope.train.leukemia_images import LeukemiaImages

ABLATION: dict[str, tuple[str, ...]] = {
    "resnet50": (),
    "msca": ("msca",),
    "csa": ("csa",),
    "gates_alone": ("dar",),
    "msca_csa": ("msca", "csa"),
}
"""Name to the parts that are there; HMSCAM itself has all three. Without parts it is ResNet50."""

HEADLINE = "hmscam"
COMPARED = (HEADLINE, "resnet50", "alexnet", "vit")
"""Networks whose answers to perturbed images are kept."""

_ANSWERS = "answers.npz"


@dataclass(frozen=True, slots=True, eq=False)
class TrialAnswers:
    """What a trained network answered about the fields that were held out from it.

    Attributes
    ----------
    trial
        Name, parts, seed and the rest as plain JSON types; ``parameters``, ``seconds`` of its training, and
        ``seconds_per_image``, the median over single images.
    rows
        M places of the fields among all.
    arrays
        ``subtypes`` M x 4 and ``malignant`` M x 2 probabilities; the same of perturbed fields as
        ``PERTURBATION/STRENGTH/subtypes``; ``.../spatial_difference`` M; ``.../spatial_information`` 2, nats and share.
    """

    trial: dict[str, object]
    rows: NDArray[np.int64]
    arrays: dict[str, NDArray[np.float64]]


def plan_trials(recipe: LeukemiaTrainingRecipe) -> list[Trial]:
    """Return every network of the evaluation, the first headline first."""
    from hemascope.train.leukemia import Trial

    first = recipe.seeds[0]
    trials = [Trial(f"{HEADLINE}_seed{seed}", seed=seed) for seed in recipe.seeds]
    trials += [Trial(f"rotation{k}_{HEADLINE}", seed=first, fold=k) for k in range(1, recipe.rotations + 1)]
    for seed in recipe.ablation_seeds:
        trials += [Trial(f"{name}_seed{seed}", parts=parts, seed=seed) for name, parts in ABLATION.items()]
        trials += [Trial(f"alexnet_seed{seed}", "alexnet", seed=seed), Trial(f"vit_seed{seed}", "vit", seed=seed)]
    trials += [Trial(f"share{round(100 * share)}_{HEADLINE}", seed=first, share=share) for share in recipe.shares]
    trials += [Trial(f"background_{HEADLINE}", seed=first, view="background")]
    return [*trials, Trial(f"hsv_{HEADLINE}", seed=first, view="hsv")]


def run_folder(recipe: LeukemiaTrainingRecipe, fields: int, runs: Path) -> Path:
    """Return the folder of a recipe's trials on so many fields; that of each trial lies in it under its name."""
    return runs / f"{recipe.name}-{recipe.digest()[:8]}-{fields}"


def run_trials(
    recipe: LeukemiaTrainingRecipe,
    images: LeukemiaImages,
    held_out: dict[int | None, NDArray[np.bool_]],
    runs: Path,
    progress: Progress,
) -> dict[str, TrialAnswers]:
    """Train and ask what is not there yet, and return every trial's answers by name.

    Parameters
    ----------
    held_out
        Fold, None for the split of the set, to which of all fields are held out.
    runs
        Folder of the runs; see ``run_folder``.
    """
    trials = plan_trials(recipe)
    folder = run_folder(recipe, len(images.subtypes), runs)
    found: dict[str, TrialAnswers] = {}
    begun, fresh = time.monotonic(), 0
    for index, trial in enumerate(trials):
        place = folder / trial.name
        known = _read_answers(place)
        if known is None:
            known = _run_trial(recipe, trial, images, held_out[trial.fold], place, progress)
            fresh += 1
            left = (time.monotonic() - begun) / fresh * sum(not (folder / t.name / _ANSWERS).exists() for t in trials)
            _say(f"{index + 1}/{len(trials)} {trial.name}: {known.trial['seconds']} s; about {left / 60:.0f} min left")
        found[trial.name] = known
    return found


def _run_trial(
    recipe: LeukemiaTrainingRecipe,
    trial: Trial,
    images: LeukemiaImages,
    held_out: NDArray[np.bool_],
    place: Path,
    progress: Progress,
) -> TrialAnswers:
    from hemascope.nets.hmscam import Hmscam
    from hemascope.train.leukemia import answer, train_trial
    from hemascope.train.leukemia_attention import save_network

    def on_step(step: int, steps: int, loss: float) -> None:
        progress(f"{trial.name}, loss {loss:.2f}", step, steps)

    started = time.monotonic()
    net = train_trial(recipe, trial, images.chosen(~held_out), place, on_step)
    trained = round(time.monotonic() - started, 1)
    asked = images.pixels[held_out]
    told = answer(net, recipe, asked, trial.view)
    arrays = {"subtypes": told.subtypes, "malignant": told.malignant}
    name, _, seed = trial.name.partition("_seed")
    if name in COMPARED and seed == str(recipe.ablation_seeds[0] if name != HEADLINE else recipe.seeds[0]):
        arrays |= _perturbed_answers(net, recipe, asked, progress, trial.name)
        if isinstance(net, Hmscam) and name == HEADLINE:
            arrays |= _stability(net, recipe, asked, progress)
            save_network(net, recipe, trial, place)
    described = asdict(trial) | {
        "parameters": sum(p.numel() for p in net.parameters()),
        "seconds": trained,
        "seconds_per_image": seconds_per_image(net, recipe, asked),
    }
    answers = TrialAnswers(described, np.flatnonzero(held_out), arrays)
    _write_answers(answers, place)
    return answers


def _perturbed_answers(
    net: nn.Module, recipe: LeukemiaTrainingRecipe, pixels: NDArray[np.uint8], progress: Progress, name: str
) -> dict[str, NDArray[np.float64]]:
    from hemascope.train.leukemia import answer

    arrays = {}
    for done, (kind, strength) in enumerate(changes()):
        progress(f"{name}, {kind}", done, len(changes()))
        told = answer(net, recipe, perturbed(pixels, kind, strength))
        arrays[f"{kind}/{strength:g}/subtypes"] = told.subtypes
        arrays[f"{kind}/{strength:g}/malignant"] = told.malignant
    return arrays


def changes() -> list[tuple[str, float]]:
    """Return every perturbation with each of its strengths."""
    return [(kind, strength) for kind, (_, strengths) in PERTURBATIONS.items() for strength in strengths]


def _stability(
    net: Hmscam, recipe: LeukemiaTrainingRecipe, pixels: NDArray[np.uint8], progress: Progress
) -> dict[str, NDArray[np.float64]]:
    """Return how far attention moves under each change, and, as a floor, from one field to another."""
    from hemascope.train.leukemia_attention import attention_maps

    own = attention_maps(net, recipe, pixels)
    arrays: dict[str, NDArray[np.float64]] = {}
    for done, (kind, strength) in enumerate([*changes(), ("another_field", 0.0)]):
        progress(f"attention, {kind}", done, len(changes()))
        if kind == "another_field":
            shifted = np.roll(np.arange(len(pixels)), len(pixels) // 2)
            parts = {name: _of(own, name)[shifted] for name in ("spatial", "channel")}
        else:
            seen = attention_maps(net, recipe, perturbed(pixels, kind, strength))
            parts = {name: _of(seen, name) for name in ("spatial", "channel")}
        for name, maps in parts.items():
            key = f"{kind}/{strength:g}/{name}"
            arrays[f"{key}_difference"] = relative_difference(_of(own, name), maps)
            arrays[f"{key}_information"] = np.array(mutual_information(_of(own, name), maps))
    return arrays


def _of(maps: object, name: str) -> NDArray[np.float32]:
    value: NDArray[np.float32] = getattr(maps, name)
    return value


def _write_answers(answers: TrialAnswers, place: Path) -> None:
    """Write the answers, the last thing of a trial, and drop its checkpoints, which they make needless."""
    write_text(place / "trial.json", json.dumps(answers.trial, indent=1) + "\n")
    with draft_of(place / _ANSWERS) as draft, draft.open("wb") as file:
        np.savez_compressed(file, rows=answers.rows, **answers.arrays)  # type: ignore[arg-type]
    shutil.rmtree(place / "checkpoints", ignore_errors=True)


def _read_answers(place: Path) -> TrialAnswers | None:
    """Return the answers of a finished trial, or None."""
    if not (place / _ANSWERS).exists():
        return None
    try:
        trial = json.loads((place / "trial.json").read_text(encoding="utf-8"))
        with np.load(place / _ANSWERS) as kept:
            arrays = {name: kept[name] for name in kept.files}
    except (OSError, ValueError) as error:
        raise OutputError(f"{place} holds answers that cannot be read ({error}); remove that folder") from error
    return TrialAnswers(trial, arrays.pop("rows"), arrays)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def answers_of(found: dict[str, TrialAnswers], names: Sequence[str]) -> tuple[NDArray[np.int64], TrialAnswers]:
    """Return the rows that several trials answered, and their answers put together."""
    parts = [found[name] for name in names]
    rows = np.concatenate([part.rows for part in parts])
    arrays = {key: np.concatenate([part.arrays[key] for part in parts]) for key in ("subtypes", "malignant")}
    return rows, TrialAnswers(parts[0].trial, rows, arrays)
