"""Cells judged by how well a denoiser explains them as each class."""
