"""Predictions to evidence: what would have to change for a cell to be of another type."""
