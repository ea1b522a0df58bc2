"""Cohorts of patients with known truth: who has what, which cells say so, and how well anybody could tell."""
