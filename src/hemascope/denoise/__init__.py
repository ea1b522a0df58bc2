"""Samples of cells and the noise in them: denoisers of images, embeddings and latents."""
