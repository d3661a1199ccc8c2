"""Feature extractors, one to a file."""
