"""How far a covariance estimated from few samples is to be shrunk, from the samples alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def ledoit_wolf_share(centered: ArrayLike) -> float:
    r"""Return the share of :math:`\mathrm{tr}(S)/D\; I` in the shrunk covariance that errs least on the whole.

    With :math:`S` the covariance of N samples :math:`x_n` and :math:`\mu = \mathrm{tr}(S)/D`, the share is
    :math:`\min(1, b^2/d^2)`, :math:`d^2 = \lVert S - \mu I\rVert^2` and
    :math:`b^2 = N^{-2} \sum_n \lVert x_n x_n^T - S\rVert^2` (Ledoit, Wolf, J Multivar Anal 2004;88:365).

    Parameters
    ----------
    centered
        N x D numbers whose mean (of their class) was taken off, N at least 1.

    Returns
    -------
    0 to 1; 1 where the samples say nothing about directions.

    Raises
    ------
    ValueError
        If there is no sample.
    """
    values = np.asarray(centered, np.float64)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"need N x D numbers of at least one sample, not {values.shape}")
    count, length = values.shape
    covariance = values.T @ values / count
    level = float(np.trace(covariance)) / length
    apart = float(((covariance - level * np.eye(length)) ** 2).sum())
    noise = (float(((values**2).sum(axis=1) ** 2).sum()) / count - float((covariance**2).sum())) / count
    if apart <= 1e-12 * max(level, 1e-300) ** 2 * length:
        return 1.0
    return float(np.clip(noise / apart, 0.0, 1.0))
