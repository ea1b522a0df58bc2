"""Reports to files that other programs read."""
