"""Answers against labels: detection, classification, and both end to end."""
