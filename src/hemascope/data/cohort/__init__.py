"""Cohorts of patients: the manifest, and folders of other makers made into one."""
