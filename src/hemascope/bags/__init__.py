"""Patients as bags of embedded cells: labels as numbers, the table of diseases, ensembles that answer."""
