"""The eight looks at a square image: turned by quarters, and mirrored; each can be undone exactly."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

VIEWS = 8
"""Four quarter turns, each as it is and mirrored."""

Number = TypeVar("Number", bound=np.generic)


def seen(images: NDArray[Number], view: int) -> NDArray[Number]:
    """Return images ... x H x W as a view sees them; view 0 changes nothing."""
    turned = np.rot90(images, view % 4, axes=(-2, -1))
    return turned[..., ::-1] if view >= 4 else turned


def unseen(images: NDArray[Number], view: int) -> NDArray[Number]:
    """Return what ``seen`` made of images, as it was before."""
    turned = images[..., ::-1] if view >= 4 else images
    return np.rot90(turned, -view % 4, axes=(-2, -1))


def views_of(sample_shape: tuple[int, ...]) -> int:
    """Return how many views there are of samples of a shape: 8 of square images, 1 of anything else."""
    return VIEWS if len(sample_shape) == 3 and sample_shape[1] == sample_shape[2] else 1
