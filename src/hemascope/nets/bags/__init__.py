"""Bags of embedded cells to the outputs of a patient, all in the silhouette of ``net.BagNet``; torch only."""
