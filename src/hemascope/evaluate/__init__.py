"""Predictions against truth: metrics with intervals."""
