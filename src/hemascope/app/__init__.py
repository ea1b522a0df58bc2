"""Use cases: analyze, benchmark, synthesize, train."""
