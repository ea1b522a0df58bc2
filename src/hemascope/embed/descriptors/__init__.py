"""Handcrafted descriptors of a cell: a list of measures, each with name, unit, formula and source."""
