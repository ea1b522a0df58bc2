"""Answers about patients against what is true of them: the figures, each as plain numbers. Research use only."""
