"""hemascope reads blood smears: images in, a report with its evidence out. Research use only."""

__version__ = "0.1.0"
