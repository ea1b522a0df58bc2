"""A named model is a graph, its transform, its weights' digest, its license and its card."""
