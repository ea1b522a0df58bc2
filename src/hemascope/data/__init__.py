"""Public data sets, read into one kind of record; the files themselves are never part of this package."""
