"""Crops to embeddings."""
