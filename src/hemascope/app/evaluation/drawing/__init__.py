"""Figures of an evaluation: one look, colors that color-blind readers tell apart, drawn from plain numbers."""
