"""Fields to verdicts."""
