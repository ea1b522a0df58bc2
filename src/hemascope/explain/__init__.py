"""Predictions to evidence: why a cell was typed as it was."""
