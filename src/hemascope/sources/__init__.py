"""Files to fields."""
