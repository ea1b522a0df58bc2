"""Torch modules only: imported to train and to export, never to answer."""
