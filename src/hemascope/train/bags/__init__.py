"""Cohorts to models of patients: losses, training by epochs, answers, packing."""
