"""Color of nucleus and cytoplasm as absorbed light: optical density of red, green and blue."""

from __future__ import annotations

import numpy as np

from hemascope.embed.descriptors.descriptor import Descriptor
from hemascope.embed.descriptors.regions import CellView, Map, Mask, inner_distance

FAMILY = "color"
CHANNELS = ("red", "green", "blue")
REGIONS = ("nucleus", "cytoplasm")
MIN_CYTOPLASM_UM2 = 1.5
RIM_UM = 0.6
MIN_DENSITY = 0.03
PINK, BLUE_OVER = 0.13, 0.8
ENTROPY_BINS = 32
ENTROPY_RANGE = 1.3
STANDS_IN = "; of the outer 0.6 um of the cell where there are less than 1.5 um2 of cytoplasm"


def _table() -> tuple[Descriptor, ...]:
    rows = []
    for region in REGIONS:
        note = STANDS_IN if region == "cytoplasm" else ""
        rows += [
            Descriptor(f"{region}_{c}", FAMILY, "od", f"mean density of {c} in the {region}{note}") for c in CHANNELS
        ]
        rows += [Descriptor(f"{region}_{c}_sd", FAMILY, "od", f"SD of that density in the {region}") for c in CHANNELS]
        rows += [
            Descriptor(f"{region}_red_share", FAMILY, "1", "mean red / (red + green + blue): hue of the stain"),
            Descriptor(f"{region}_blue_share", FAMILY, "1", "mean blue / (red + green + blue)"),
            Descriptor(f"{region}_green_p10", FAMILY, "od", "10th percentile of the density of green"),
            Descriptor(f"{region}_green_p90", FAMILY, "od", "90th percentile of the density of green"),
            Descriptor(
                f"{region}_green_skewness", FAMILY, "1", "mean cubed deviation / SD^3 of green, within -3 and 3"
            ),
            Descriptor(
                f"{region}_entropy",
                FAMILY,
                "bit",
                "-sum p log2 p over 32 bins of green, 0 to 1.3",
                "Shannon, Bell Syst Tech J 1948;27:379",
            ),
            Descriptor(f"{region}_hue_sd", FAMILY, "1", "SD of red / (red + green + blue) over pixels"),
        ]
    return (
        *rows,
        *(Descriptor(f"contrast_{c}", FAMILY, "od", f"nucleus - cytoplasm, mean density of {c}") for c in CHANNELS),
        Descriptor("nucleus_integrated_red", FAMILY, "od um2", "sum of the density of red over the nucleus's area"),
        Descriptor("cytoplasm_pink_share", FAMILY, "1", "share of cytoplasm with green - red > 0.13 od: eosin"),
        Descriptor("cytoplasm_basophilic_share", FAMILY, "1", "share of cytoplasm with red > 0.8 green: azure, blue"),
        Descriptor("cytoplasm_pale_share", FAMILY, "1", "share of cytoplasm with green < 0.06 od: vacuoles, clearings"),
        *(
            Descriptor(f"cytoplasm_over_red_cells_{c}", FAMILY, "od", f"cytoplasm - red cells around, density of {c}")
            for c in CHANNELS
        ),
    )


DESCRIPTORS = _table()


def cytoplasm_or_rim(view: CellView) -> Mask:
    """Return the cytoplasm, or the rim of the cell where there is next to none; not empty."""
    cytoplasm = view.cytoplasm
    if cytoplasm.sum() * view.mpp**2 >= MIN_CYTOPLASM_UM2:
        return cytoplasm
    rim = view.cell & (inner_distance(view.cell) * view.mpp <= RIM_UM)
    return rim if rim.any() else view.cell


def measure(view: CellView) -> dict[str, float]:
    """Return the descriptors of this family by name."""
    cytoplasm = view.density[cytoplasm_or_rim(view)]
    nucleus = view.density[view.nucleus]
    values = _of_region("nucleus", nucleus) | _of_region("cytoplasm", cytoplasm)
    inner, outer = nucleus.mean(axis=0), cytoplasm.mean(axis=0)
    for index, channel in enumerate(CHANNELS):
        values[f"contrast_{channel}"] = float(inner[index] - outer[index])
        values[f"cytoplasm_over_red_cells_{channel}"] = float(outer[index] - view.red_cells[index])
    red, green = cytoplasm[:, 0], cytoplasm[:, 1]
    return values | {
        "nucleus_integrated_red": float(nucleus[:, 0].sum()) * view.mpp**2,
        "cytoplasm_pink_share": float((green - red > PINK).mean()),
        "cytoplasm_basophilic_share": float((red > BLUE_OVER * green).mean()),
        "cytoplasm_pale_share": float((green < 0.06).mean()),
    }


def _of_region(region: str, density: Map) -> dict[str, float]:
    mean, spread = density.mean(axis=0), density.std(axis=0)
    total = np.maximum(density.sum(axis=1), MIN_DENSITY)
    green = density[:, 1]
    low, high = np.percentile(green, (10, 90))
    skewness = float(((green - mean[1]) ** 3).mean()) / max(float(spread[1]) ** 3, 1e-6)
    counts, _ = np.histogram(green, bins=ENTROPY_BINS, range=(0, ENTROPY_RANGE))
    shares = counts[counts > 0] / max(counts.sum(), 1)
    values = {f"{region}_{c}": float(m) for c, m in zip(CHANNELS, mean, strict=True)}
    values |= {f"{region}_{c}_sd": float(s) for c, s in zip(CHANNELS, spread, strict=True)}
    whole = max(float(mean.sum()), MIN_DENSITY)
    return values | {
        f"{region}_red_share": float(mean[0]) / whole,
        f"{region}_blue_share": float(mean[2]) / whole,
        f"{region}_green_p10": float(low),
        f"{region}_green_p90": float(high),
        f"{region}_green_skewness": min(max(skewness, -3.0), 3.0),
        f"{region}_entropy": float(-(shares * np.log2(shares)).sum()),
        f"{region}_hue_sd": float((density[:, 0] / total).std()),
    }
