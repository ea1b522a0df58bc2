"""Results to a report: differential, and its rendering for a reader."""
