"""Crops to predictions."""
