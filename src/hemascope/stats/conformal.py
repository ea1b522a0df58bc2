r"""Split conformal prediction of a class: sets that hold the true one with a stated probability.

Every function works on nonconformity scores, greater where a class fits worse. With scores :math:`s_1 \dots s_n` of the
true classes of n calibration cells, a class of score s has the p-value
:math:`(1 + \#\{i: s_i \ge s\}) / (n + 1)`, and the set of level :math:`1 - \alpha` holds the classes of p-value above
:math:`\alpha`; the same is :math:`s \le` the :math:`\lceil (n + 1)(1 - \alpha) \rceil`-th smallest :math:`s_i`
(Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005; Angelopoulos and Bates, arXiv:2107.07511).
Where the cell is exchangeable with the calibration cells, the set holds its class with probability
:math:`1 - \alpha` or more.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Score = Literal["lac", "aps", "raps"]
"""How nonconformity is measured; see ``nonconformity``."""

RAPS_PENALTY, RAPS_FREE = 0.1, 1
"""Of ``raps``: what each class beyond the first costs. Chosen once for eight classes, not tuned."""


def nonconformity(
    probabilities: ArrayLike,
    score: Score = "lac",
    ties: ArrayLike | None = None,
    *,
    penalty: float = RAPS_PENALTY,
    free: int = RAPS_FREE,
) -> NDArray[np.float64]:
    r"""Return N x K scores of every class of every cell.

    - ``lac``: :math:`1 - p_k` (Sadinle, Lei, Wasserman, JASA 2019;114:223): the smallest sets on average, and empty
      ones where no class is likely enough.
    - ``aps``: the sum of the probabilities above :math:`p_k`, plus :math:`u\,p_k` (Romano, Sesia, Candes, NeurIPS
      2020): larger sets for harder cells.
    - ``raps``: the same plus ``penalty`` for each rank beyond ``free`` (Angelopoulos et al., ICLR 2021).

    Parameters
    ----------
    probabilities
        N x K, every row sums to 1.
    score
        Which.
    ties
        u of each cell, N numbers from 0 to 1 drawn uniformly: randomized sets, of exactly the stated coverage. None
        for 1, which leaves chance out and makes sets larger.
    penalty, free
        Of ``raps`` alone.

    Raises
    ------
    ValueError
        If a row is no distribution, the score is unknown, or there is not one tie number a cell.
    """
    p = _distributions(probabilities)
    if score == "lac":
        return 1 - p
    if score not in ("aps", "raps"):
        raise ValueError(f"there is no score '{score}'; choose lac, aps or raps")
    u = np.ones(len(p)) if ties is None else np.asarray(ties, np.float64)
    if u.shape != (len(p),):
        raise ValueError(f"{len(p)} cells need as many tie numbers, not {u.shape}")
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    scores = np.cumsum(ranked, axis=1) - ranked + u[:, None] * ranked
    if score == "raps":
        scores = scores + penalty * np.maximum(np.arange(1, p.shape[1] + 1) - free, 0)
    answer = np.empty_like(scores)
    np.put_along_axis(answer, order, scores, axis=1)
    return answer


def group_weights(groups: ArrayLike) -> NDArray[np.float64]:
    """Return N weights by which every group counts once: 1 over the size of the cell's group.

    With them a cell of a new group is exchangeable with the groups seen, however alike the cells of one group are
    (hierarchical conformal prediction: Lee, Barber, Willett, JRSSB 2025).
    """
    _, member_of, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1 / sizes[member_of]
    return weights


def conformal_quantile(scores: ArrayLike, alpha: float, groups: ArrayLike | None = None) -> float:
    """Return the greatest score that a class may have to be in the set.

    Without groups the ceil((n + 1)(1 - alpha))-th smallest of n scores; infinity, so that every class is in the set,
    where there are fewer. With G groups the smallest score at which the groups' weights reach (G + 1)(1 - alpha).

    Parameters
    ----------
    scores
        N scores of the true classes of the calibration cells.
    alpha
        Probability of a set without the true class, strictly between 0 and 1.
    groups
        N labels of what is alike; None for cells that are all their own.

    Raises
    ------
    ValueError
        If alpha is out of range, a score is NaN, or there is not one group a score.
    """
    values = np.asarray(scores, np.float64)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if values.ndim != 1 or np.isnan(values).any():
        raise ValueError("scores must be one row of numbers")
    weights = np.ones(len(values)) if groups is None else group_weights(groups)
    if weights.shape != values.shape:
        raise ValueError(f"{len(values)} scores need as many groups, not {len(weights)}")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    # Rounding of (n + 1)(1 - alpha) must not push a whole number over itself.
    needed = (round(float(weights.sum())) + 1) * (1 - alpha) - 1e-9
    place = int(np.searchsorted(reached, needed))
    return float(values[order[place]]) if place < len(values) else math.inf


def p_values(
    calibration: ArrayLike,
    scores: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    own_weights: ArrayLike = 1.0,
    ties: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Return the conformal p-value of every score.

    .. math:: \frac{\sum_i w_i [s_i > s] + u\,(\sum_i w_i [s_i = s] + w)}{\sum_i w_i + w}

    With ones for weights this is the plain p-value; with likelihood ratios it is that of weighted conformal prediction
    under covariate shift (Tibshirani, Foygel Barber, Candes, Ramdas, NeurIPS 2019) or, with ratios of class shares,
    under label shift (Podkopaev, Ramdas, UAI 2021).

    Parameters
    ----------
    calibration
        N scores of the true classes of the calibration cells.
    scores
        M x K scores to judge.
    weights
        N weights of 0 or more; None for ones.
    own_weights
        Weight w of each score judged: one number, or anything that spreads over M x K.
    ties
        u of each cell, M numbers from 0 to 1; None for 1, which leaves chance out. Drawn uniformly they make the
        p-values uniform, and the coverage exact for any N.

    Raises
    ------
    ValueError
        If there is not one weight a calibration score, or a weight is negative.
    """
    known, asked = np.asarray(calibration, np.float64), np.asarray(scores, np.float64)
    w = np.ones(len(known)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != known.shape or (w < 0).any():
        raise ValueError(f"{len(known)} calibration scores need as many weights of 0 or more")
    order = np.argsort(known, kind="stable")
    reached = np.concatenate([[0.0], np.cumsum(w[order])])
    below, up_to = (reached[np.searchsorted(known[order], asked, side)] for side in ("left", "right"))
    u = 1.0 if ties is None else np.asarray(ties, np.float64)[:, None]
    own = np.broadcast_to(np.asarray(own_weights, np.float64), asked.shape)
    answer: NDArray[np.float64] = (reached[-1] - up_to + u * (up_to - below + own)) / (reached[-1] + own)
    return answer


def marginal_p_values(
    calibration: NDArray[np.float64],
    labels: ArrayLike,
    scores: NDArray[np.float64],
    *,
    groups: ArrayLike | None = None,
    class_ratios: ArrayLike | None = None,
    ties: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return M x K p-values whose sets hold the true class with the stated probability over all cells together.

    Parameters
    ----------
    calibration, labels
        N x K scores and N true class numbers of the calibration cells.
    scores
        M x K scores of the cells to answer.
    groups
        N labels of what is alike among the calibration cells; None for cells that are all their own.
    class_ratios
        K ratios of the classes' shares among the cells to answer to those in calibration; None for ones.
    ties
        M numbers as in ``p_values``.
    """
    truth = np.asarray(labels, np.intp)
    weights = np.ones(len(truth)) if groups is None else group_weights(groups)
    ratios = np.ones(scores.shape[1]) if class_ratios is None else np.asarray(class_ratios, np.float64)
    true_scores = calibration[np.arange(len(truth)), truth]
    return p_values(true_scores, scores, weights=weights * ratios[truth], own_weights=ratios, ties=ties)


def class_p_values(
    calibration: NDArray[np.float64],
    labels: ArrayLike,
    scores: NDArray[np.float64],
    *,
    groups: ArrayLike | None = None,
    ties: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return M x K p-values whose sets hold the true class with the stated probability within each class.

    Each class is compared with calibration cells of that class alone (Mondrian conformal prediction: Vovk, ACML 2012),
    so the promise stands whatever the shares of the classes. A class without calibration cells has p-value u: it is
    never excluded without chance.

    Parameters
    ----------
    calibration, labels, scores, groups, ties
        As in ``marginal_p_values``.
    """
    truth = np.asarray(labels, np.intp)
    names = np.arange(len(truth)) if groups is None else np.asarray(groups)
    columns = []
    for k in range(scores.shape[1]):
        of_class = truth == k
        weights = group_weights(names[of_class])
        columns.append(p_values(calibration[of_class, k], scores[:, [k]], weights=weights, ties=ties))
    return np.concatenate(columns, axis=1)


def _distributions(probabilities: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-6):
        raise ValueError("probabilities must be N x K, 0 or more, and every row must sum to 1")
    return p
