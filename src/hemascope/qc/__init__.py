"""Fields to verdicts: ``assess`` judges; one module a question measures. Limits and rates: docs/quality.md."""
