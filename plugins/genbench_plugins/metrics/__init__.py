"""Metrics, one to a file."""
