"""Whether estimates from independent groups differ by more than chance. scipy is imported where it is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def cochran_q(values: ArrayLike, variances: ArrayLike) -> tuple[float, float] | None:
    r"""Return the statistic and the p value of the hypothesis that independent estimates share one expectation.

    :math:`Q = \sum_g (a_g - \bar a)^2 / v_g` with the mean weighted by :math:`1 / v_g`, against chi-squared with one
    degree of freedom less than there are groups. For two groups it is the square of the usual z test.

    Parameters
    ----------
    values
        G estimates.
    variances
        G variances of the estimates, above 0.

    Returns
    -------
    Q, 0 or more, and the p value; None with fewer than two groups.

    Raises
    ------
    ValueError
        If the lengths differ, an estimate is not finite, or a variance is not above 0.

    References
    ----------
    Cochran WG. Biometrics 1954;10:101-129.
    """
    from scipy.special import chdtrc

    estimates, spreads = np.asarray(values, np.float64), np.asarray(variances, np.float64)
    if estimates.ndim != 1 or estimates.shape != spreads.shape or not np.isfinite(estimates).all():
        raise ValueError(f"need finite estimates and as many variances, not {estimates.shape} and {spreads.shape}")
    if not ((spreads > 0) & np.isfinite(spreads)).all():
        raise ValueError("a variance must be above 0")
    if len(estimates) < 2:
        return None
    weights = 1 / spreads
    mean = float(weights @ estimates / weights.sum())
    q = float(weights @ (estimates - mean) ** 2)
    return q, float(chdtrc(len(estimates) - 1, q))
