"""Data sets to checkpoints and shipped weights."""
