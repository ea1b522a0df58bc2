"""Fields to cells, crops and measures."""
