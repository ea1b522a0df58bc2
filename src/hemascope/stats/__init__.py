"""Pure statistics: intervals, calibration error, resampling."""
