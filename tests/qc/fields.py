"""Painted fields with known faults."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hemascope.core.smear import Field
from hemascope.core.units import Scale, ScaleSource

MPP = 0.1
BACKGROUND, CELL, NUCLEUS = (228, 218, 224), (196, 132, 140), (96, 48, 130)


def smear(height: int = 480, width: int = 640, spacing: int = 88, mpp: float = MPP, seed: int = 7) -> NDArray[np.uint8]:
    """A sharp monolayer: red cells of 7.5 um on a jittered grid of ``spacing`` pixels, every ninth cell a white one."""
    rng = np.random.default_rng(seed)
    fine = np.full((height, width, 3), BACKGROUND, np.uint8)
    number = 0
    for y in range(spacing // 2, height, spacing):
        for x in range(spacing // 2, width, spacing):
            center = (int(x + rng.integers(-5, 6)), int(y + rng.integers(-5, 6)))
            radius = round(3.75 / mpp)
            cv2.circle(fine, center, radius, CELL, -1, cv2.LINE_AA)
            if number % 9 == 4:
                cv2.circle(fine, center, round(2.6 / mpp), NUCLEUS, -1, cv2.LINE_AA)
            number += 1
    return noisy(blurred(fine, 0.12, mpp), 2.0)  # 0.12 um: what a good objective leaves


def blurred(pixels: NDArray[np.uint8], um: float, mpp: float = MPP) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), um / mpp), np.uint8)


def noisy(pixels: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def dimmed(pixels: NDArray[np.uint8], factor: float | NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(pixels * factor), 0, 255), np.uint8)


def with_bar(pixels: NDArray[np.uint8], color: tuple[int, int, int], *, vertical: bool = False) -> NDArray[np.uint8]:
    out = pixels.copy()
    height, width = out.shape[:2]
    corner = (width - 120, height - 24), (width - 20, height - 20)
    if vertical:
        corner = (width - 24, height - 120), (width - 20, height - 20)
    cv2.rectangle(out, *corner, color, -1)
    return out


def with_label(
    pixels: NDArray[np.uint8], text: str, color: tuple[int, int, int], place: tuple[int, int] = (20, 460)
) -> NDArray[np.uint8]:
    out = pixels.copy()
    cv2.putText(out, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, color, 2, cv2.LINE_AA)
    return out


def crowd(cover: float, seed: int = 0) -> NDArray[np.uint8]:
    """Red cells thrown at random, absorbing where they lie on each other, until they cover ``cover`` of the field."""
    rng = np.random.default_rng(seed)
    light = np.ones((480, 640, 3), np.float32)
    passed = np.array(CELL, np.float32) / np.array(BACKGROUND, np.float32)
    inside = np.zeros(light.shape[:2], np.uint8)
    while inside.mean() < cover:
        disk = np.zeros_like(inside)
        cv2.circle(disk, (int(rng.integers(0, 640)), int(rng.integers(0, 480))), 37, 1, -1)
        light = np.where(disk[..., None] > 0, light * passed, light)
        inside |= disk
    return noisy(blurred(np.asarray(np.rint(light * np.array(BACKGROUND)), np.uint8), 0.12), 2.0)


def with_frame(pixels: NDArray[np.uint8], side: int, color: int = 0) -> NDArray[np.uint8]:
    out = pixels.copy()
    out[:side], out[-side:], out[:, :side], out[:, -side:] = color, color, color, color
    return out


def jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def field(pixels: NDArray[np.uint8], mpp: float | None = MPP) -> Field:
    return Field("field", pixels, None if mpp is None else Scale(mpp, ScaleSource.STATED))
