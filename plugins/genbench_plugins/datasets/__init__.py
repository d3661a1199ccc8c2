"""Datasets, one to a file."""
