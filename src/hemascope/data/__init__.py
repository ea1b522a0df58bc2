"""Readers of public data sets: the same records for all, with license and citation."""
