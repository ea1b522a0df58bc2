"""Finders by other groups behind the port `Segmenter`; each needs an extra of its name and brings or takes weights."""
