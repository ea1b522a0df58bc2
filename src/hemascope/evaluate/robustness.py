"""Images made worse on purpose, by stated amounts: blur, salt and pepper, brightness, contrast."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


def gaussian_blur(images: Images, sigma: float, seed: int = 0) -> Images:
    """Return images N x H x W x 3 under a Gaussian blur of ``sigma`` pixels."""
    del seed
    return np.stack([np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8) for image in images])


def salt_and_pepper(images: Images, share: float, seed: int = 0) -> Images:
    """Return images of which about ``share`` of the pixels, 0..1, are black or white, each as likely."""
    drawn = np.random.default_rng(seed).random(images.shape[:3])
    noisy = images.copy()
    noisy[drawn < share / 2] = 0
    noisy[(drawn >= share / 2) & (drawn < share)] = 255
    return noisy


def brightness(images: Images, factor: float, seed: int = 0) -> Images:
    """Return images times ``factor``, cut off at 255."""
    del seed
    return _to_bytes(images * np.float32(factor))


def contrast(images: Images, factor: float, seed: int = 0) -> Images:
    """Return images whose distance to their own mean color is multiplied by ``factor``, cut off at 0 and 255."""
    del seed
    mean = images.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return _to_bytes(mean + np.float32(factor) * (images - mean))


PERTURBATIONS: Mapping[str, tuple[Callable[[Images, float, int], Images], tuple[float, ...]]] = {
    "gaussian_blur": (gaussian_blur, (1.0, 2.0, 3.0)),
    "salt_and_pepper": (salt_and_pepper, (0.01, 0.03, 0.1)),
    "brightness": (brightness, (0.6, 0.8, 1.2, 1.4)),
    "contrast": (contrast, (0.5, 0.75, 1.25, 1.5)),
}
"""Name to function and its strengths: pixels of 224, share of pixels, factors."""


def perturbed(images: Images, name: str, strength: float, seed: int = 0) -> Images:
    """Return images N x H x W x 3 uint8 under a perturbation by name."""
    return PERTURBATIONS[name][0](images, strength, seed)


def _to_bytes(values: NDArray[np.floating]) -> Images:
    whole: Images = np.clip(np.round(values), 0, 255).astype(np.uint8)
    return whole
