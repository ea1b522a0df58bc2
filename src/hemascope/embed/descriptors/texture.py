"""Texture of chromatin and cytoplasm: co-occurrence, local binary patterns, gradients, wavelet energies."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.embed.descriptors.color import cytoplasm_or_rim
from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView, Map, Mask

FAMILY = "texture"
REGIONS = ("nucleus", "cytoplasm")
LEVELS = 16
PAIR_UM = 0.5
SCALES = 4
HARALICK = "Haralick, Shanmugam, Dinstein, IEEE Trans SMC 1973;3:610"
OJALA = "Ojala, Pietikainen, Maenpaa, IEEE Trans PAMI 2002;24:971"
STARLET = "Starck, Murtagh, Astronomical Image and Data Analysis, 2006"
GLCM = {
    "contrast": "sum p(i, j) (i - j)^2 / 15^2",
    "correlation": "sum p(i, j) (i - m)(j - m) / v",
    "homogeneity": "sum p(i, j) / (1 + (i - j)^2)",
    "energy": "sqrt(sum p(i, j)^2)",
    "entropy": "-sum p(i, j) log2 p(i, j)",
}
LBP_MARGIN = 0.01


def _table() -> tuple[Descriptor, ...]:
    rows = []
    for region in REGIONS:
        rows += [
            Descriptor(
                f"{region}_glcm_{what}",
                FAMILY,
                "bit" if what == "entropy" else "1",
                f"{formula}; p of pairs {PAIR_UM:g} um apart in four directions, green in 16 levels between its 2nd "
                "and 98th percentile",
                HARALICK,
            )
            for what, formula in GLCM.items()
        ]
        rows += [
            Descriptor(
                f"{region}_lbp_{k}",
                FAMILY,
                "1",
                f"share of pixels with {k} of 8 neighbors above them (green, by 0.01 od), in one run"
                if k < 9
                else "share of pixels whose neighbors above them (green, by 0.01 od) are in several runs",
                OJALA,
            )
            for k in range(10)
        ]
        rows += [
            Descriptor(
                f"{region}_gradient", FAMILY, "od/um", "mean magnitude of the gradient of green, smoothed by 0.25 um"
            ),
            Descriptor(f"{region}_gradient_sd", FAMILY, "od/um", "SD of that magnitude"),
        ]
        rows += [
            Descriptor(
                f"{region}_wavelet_{k + 1}",
                FAMILY,
                "od",
                f"root mean square of wavelet plane {k + 1} of green (a trous, cubic spline, {2**k} pixels)",
                STARLET,
            )
            for k in range(SCALES)
        ]
    return (
        *rows,
        Descriptor(
            "nucleus_edge_gradient", FAMILY, "od/um", "mean magnitude of the gradient of red at the nucleus's edge"
        ),
    )


DESCRIPTORS = _table()


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    green = np.ascontiguousarray(view.density[..., 1])
    gradient = gradient_magnitude(green, view.mpp)
    patterns = local_patterns(green)
    planes = wavelet_planes(green)
    values: dict[str, float] = {}
    for region, mask in zip(REGIONS, (view.nucleus, cytoplasm_or_rim(view)), strict=True):
        pairs = co_occurrence(coded_levels(green, mask), mask, max(round(PAIR_UM / view.mpp), 1))
        values |= {f"{region}_glcm_{what}": v for what, v in haralick(pairs).items()}
        shares = np.bincount(patterns[mask], minlength=10) / mask.sum()
        values |= {f"{region}_lbp_{k}": float(share) for k, share in enumerate(shares)}
        values[f"{region}_gradient"] = float(gradient[mask].mean())
        values[f"{region}_gradient_sd"] = float(gradient[mask].std())
        values |= {f"{region}_wavelet_{k + 1}": _root_mean_square(p[mask]) for k, p in enumerate(planes)}
    edge = view.nucleus & ~cv2.erode(view.nucleus.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    red = gradient_magnitude(np.ascontiguousarray(view.density[..., 0]), view.mpp)
    values["nucleus_edge_gradient"] = float(red[edge].mean()) if edge.any() else 0.0
    return values


def coded_levels(values: Map, mask: Mask) -> NDArray[np.int64]:
    """Return values as levels 0 to 15 between the 2nd and 98th percentile inside a mask."""
    low, high = np.percentile(values[mask], (2, 98))
    scaled = (values - low) * (LEVELS / max(float(high - low), 1e-3))
    return np.asarray(np.clip(scaled, 0, LEVELS - 1), np.int64)


def co_occurrence(coded: NDArray[np.int64], mask: Mask, distance: int) -> NDArray[np.float64]:
    """Return the symmetric 16 x 16 shares of pairs of levels in a mask, at a distance in four directions; sums to 1.

    Shares are even where the mask holds no pair.
    """
    d = distance
    counts = np.zeros(LEVELS * LEVELS, np.int64)
    windows = (
        (np.s_[:, d:], np.s_[:, :-d]),
        (np.s_[d:, :], np.s_[:-d, :]),
        (np.s_[d:, d:], np.s_[:-d, :-d]),
        (np.s_[d:, :-d], np.s_[:-d, d:]),
    )
    for here, there in windows:
        both = mask[here] & mask[there]
        counts += np.bincount(coded[here][both] * LEVELS + coded[there][both], minlength=LEVELS * LEVELS)
    table = counts.reshape(LEVELS, LEVELS)
    table = table + table.T
    total = int(table.sum())
    return table / total if total else np.full((LEVELS, LEVELS), 1 / LEVELS**2)


def haralick(shares: NDArray[np.float64]) -> dict[str, float]:
    """Return the measures of a table of co-occurrence; correlation is 1 where there is one level only."""
    i, j = np.indices(shares.shape)
    gap = (i - j) ** 2
    marginal = shares.sum(axis=1)
    level = np.arange(len(marginal))
    mean = float((marginal * level).sum())
    variance = float((marginal * (level - mean) ** 2).sum())
    some = shares[shares > 0]
    return {
        "contrast": float((shares * gap).sum()) / (LEVELS - 1) ** 2,
        "correlation": float((shares * (i - mean) * (j - mean)).sum()) / variance if variance > 1e-9 else 1.0,
        "homogeneity": float((shares / (1 + gap)).sum()),
        "energy": float(np.sqrt((shares**2).sum())),
        "entropy": float(-(some * np.log2(some)).sum()),
    }


def local_patterns(values: Map) -> NDArray[np.int64]:
    """Return each pixel's rotation-invariant uniform pattern of its 8 neighbors: 0 to 8 above in one run, else 9."""
    padded = np.pad(values, 1, mode="edge")
    height, width = values.shape
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    above = np.stack([padded[y : y + height, x : x + width] > values + LBP_MARGIN for y, x in ring])
    changes = (above != np.roll(above, 1, axis=0)).sum(axis=0)
    return np.where(changes <= 2, above.sum(axis=0), 9).astype(np.int64)


def gradient_magnitude(values: Map, mpp: float) -> Map:
    """Return the magnitude of the gradient of an image smoothed by 0.25 um, per um."""
    smooth = cv2.GaussianBlur(values, (0, 0), max(0.25 / mpp, 0.5))
    right = cv2.Scharr(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(right, down) / np.float32(32 * mpp), np.float32)


def wavelet_planes(values: Map) -> list[Map]:
    """Return the planes of the isotropic undecimated wavelet transform: differences of smoothings twice as wide."""
    planes, current = [], values
    for scale in range(SCALES):
        kernel = np.zeros(4 * 2**scale + 1, np.float32)
        kernel[:: 2**scale] = np.array([1, 4, 6, 4, 1], np.float32) / 16
        filtered = cv2.sepFilter2D(current, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
        smoother = np.asarray(filtered, np.float32)
        planes.append(current - smoother)
        current = smoother
    return planes


def _root_mean_square(values: Map) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).mean()))
